"""Serves Canaille, an OpenID Connect provider of others, with its memory for a store: two people and one client.

Runs in the environment of the provider alone: `.venv/provider/bin/python -I openid_server.py PORT REDIRECT KEY_FILE`.
"""

import sys
from pathlib import Path

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import run_simple

CLIENT_ID, CLIENT_SECRET = "kobza-portal", "a secret: of the client"
PASSWORD = "seven-quiet-owls"
PEOPLE = ("olena", "stranger")


def main(port: str, redirect: str, key_file: str) -> None:
    """Serve until the process is ended."""
    app = create_app(
        {
            "SECRET_KEY": "of a test",
            "SERVER_NAME": f"127.0.0.1:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False, "LANGUAGE": "en"},
            "CANAILLE_OIDC": {
                "ACTIVE_JWKS": [Path(key_file).read_text("ascii")],
                "USERINFO_MAPPING": {"PREFERRED_USERNAME": "{{ user.user_name }}"},
            },
        }
    )
    with app.app_context(), Backend.instance.session():
        for name in PEOPLE:
            user = models.User(
                user_name=name, formatted_name=name, family_name=name, emails=[f"{name}@example.com"], password=PASSWORD
            )
            Backend.instance.save(user)
        client = models.Client(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            client_name="Kobza",
            client_uri="http://127.0.0.1",  # trusted: nobody is asked for consent
            redirect_uris=[redirect],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "email"],
            token_endpoint_auth_method="client_secret_basic",
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
    run_simple("127.0.0.1", int(port), app, threaded=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
