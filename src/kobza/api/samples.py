"""The manual's examples of a request, in the languages of those who integrate. Pure.

One request makes all five texts, so that they cannot say different things; the tests run each as it is shown.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

TOKEN: Final = "YOUR_FMC_TOKEN"  # noqa: S105 - a placeholder
INTEGRATOR: Final = "YOUR_INTEGRATOR_ID"
PLACEHOLDERS: Final = re.compile(f"{TOKEN}|{INTEGRATOR}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. `file`: the answer is no text and is saved under this name."""

    name: str
    """What the request is for, in camel case: the Java class."""
    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    bearer: str | None = None
    body: Mapping[str, Any] | None = None
    file: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers to send."""
        headers = {} if self.bearer is None else {"Authorization": f"Bearer {self.bearer}"}
        return headers if self.body is None else {**headers, "Content-Type": "application/json"}


def curl(sample: Sample) -> str:
    """Write it for a shell."""
    words = [f"curl -sS --fail-with-body {shlex.quote(sample.url)}"]
    if sample.method == "GET" and sample.query:
        words[0] += " -G"
        words += [f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in sample.query.items()]
    elif sample.query:
        words[0] = f"curl -sS --fail-with-body {shlex.quote(f'{sample.url}?{urlencode(sample.query)}')}"
    if sample.method not in ("GET", "POST") or (sample.method == "POST" and sample.body is None):
        words.append(f"-X {sample.method}")
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in sample.headers.items()]
    if sample.body is not None:
        words.append(f"-d {shlex.quote(json.dumps(sample.body, ensure_ascii=False))}")
    if sample.file is not None:
        words.append(f"-o {sample.file}")
    return " \\\n  ".join(words) + "\n"


def python(sample: Sample) -> str:
    """Write it for Python with requests."""
    arguments = [_text(sample.url)]
    for name, values in (("params", sample.query), ("headers", sample.headers), ("json", sample.body)):
        if values and not (name == "headers" and sample.bearer is None):
            shown = {key: value for key, value in values.items() if key != "Content-Type"}
            arguments.append(f"{name}={_literal(shown, _PYTHON, '    ')}")
    arguments.append("timeout=60")
    if sample.file is not None:
        arguments.append("stream=True")
    call = f"requests.{sample.method.lower()}(\n" + "".join(f"    {each},\n" for each in arguments) + ")"
    lines = ["import requests", "", f"answer = {call}", "answer.raise_for_status()"]
    if sample.file is None:
        lines.append("print(answer.text)")
    else:
        lines += [
            f'with open("{sample.file}", "wb") as file:',
            "    for chunk in answer.iter_content(65536):",
            "        file.write(chunk)",
        ]
    return "\n".join(lines) + "\n"


def php(sample: Sample) -> str:
    """Write it for PHP with its extension curl."""
    options = []
    if sample.method != "GET":
        options.append(f"CURLOPT_CUSTOMREQUEST => {_text(sample.method)}")
    if sample.headers:
        lines = "".join(f"        {_text(f'{name}: {value}')},\n" for name, value in sample.headers.items())
        options.append(f"CURLOPT_HTTPHEADER => [\n{lines}    ]")
    if sample.body is not None:
        options.append(f"CURLOPT_POSTFIELDS => json_encode({_literal(sample.body, _PHP, '    ')})")
    options.append("CURLOPT_RETURNTRANSFER => true")
    save = "echo $answer;" if sample.file is None else f'file_put_contents("{sample.file}", $answer);'
    return (
        f"<?php\n$curl = curl_init({_php_url(sample, 'http_build_query')});\n"
        "curl_setopt_array($curl, [\n" + "".join(f"    {option},\n" for option in options) + "]);\n"
        "$answer = curl_exec($curl);\n"
        "if ($answer === false) {\n    throw new RuntimeException(curl_error($curl));\n}\n"
        "if (curl_getinfo($curl, CURLINFO_RESPONSE_CODE) >= 300) {\n    throw new RuntimeException($answer);\n}\n"
        f"{save}\n"
    )


def php_http(sample: Sample) -> str:
    """Write it for PHP with its extension http (pecl_http), whose first version had the class HttpRequest."""
    url = _php_url(sample, "new http\\QueryString")
    arguments = f"{_text(sample.method)}, {url}"
    if sample.headers:
        arguments += f", {_literal(sample.headers, _PHP, '')}"
    body = (
        "" if sample.body is None else f"$request->getBody()->append(json_encode({_literal(sample.body, _PHP, '')}));\n"
    )
    save = (
        "echo $response->getBody();"
        if sample.file is None
        else f'$response->getBody()->toStream(fopen("{sample.file}", "wb"));'
    )
    return (
        f"<?php\n$request = new http\\Client\\Request({arguments});\n{body}"
        "$client = new http\\Client();\n"
        "$response = $client->enqueue($request)->send()->getResponse($request);\n"
        "if ($response->getResponseCode() >= 300) {\n    throw new RuntimeException($response->getBody());\n}\n"
        f"{save}\n"
    )


def java(sample: Sample) -> str:
    """Write it for Java with OkHttp 3 or 4."""
    query = "".join(
        f"\n            .addQueryParameter({_text(name)}, {_text(value)})" for name, value in sample.query.items()
    )
    headers = "".join(
        f"\n            .header({_text(name)}, {_text(value)})"
        for name, value in sample.headers.items()
        if name != "Content-Type"
    )
    content = "null" if sample.body is None else _text(json.dumps(sample.body, ensure_ascii=False))
    if content == "null" and sample.method == "POST":
        content = '""'
    media = 'MediaType.get("application/json")' if sample.body is not None else "null"
    verb = {
        "GET": "",
        "DELETE": "\n            .delete()",
    }.get(sample.method, f"\n            .{sample.method.lower()}(RequestBody.create({media}, {content}))")
    imports = ["java.io.IOException", "okhttp3.*"]
    save = "System.out.println(response.body().string());"
    if sample.file is not None:
        imports[1:1] = ["java.nio.file.*"]
        save = f'Files.copy(response.body().byteStream(), Paths.get("{sample.file}"));'
    return (
        "".join(f"import {name};\n" for name in imports)
        + f"""
public class {sample.name} {{
    public static void main(String[] args) throws IOException {{
        OkHttpClient client = new OkHttpClient();
        HttpUrl url = HttpUrl.get({_text(sample.url)}).newBuilder(){query}
            .build();
        Request request = new Request.Builder()
            .url(url){headers}{verb}
            .build();
        try (Response response = client.newCall(request).execute()) {{
            if (!response.isSuccessful()) {{
                throw new IOException(response.body().string());
            }}
            {save}
        }}
    }}
}}
"""
    )


LANGUAGES: Final[Mapping[str, tuple[str, Callable[[Sample], str]]]] = {
    "curl": ("curl", curl),
    "php": ("PHP", php),
    "php-http": ("PHP http", php_http),
    "python": ("Python", python),
    "java": ("Java", java),
}
"""By their key in the page: the name shown, and what writes it."""


@dataclass(frozen=True, slots=True)
class _Notation:
    opening: str
    closing: str
    pair: str
    true: str
    false: str
    null: str
    escape: str
    """What a string must not hold bare, besides quotes and backslashes: in PHP `$` begins a variable."""


_PYTHON: Final = _Notation("{", "}", ": ", "True", "False", "None", "")
_PHP: Final = _Notation("[", "]", " => ", "true", "false", "null", "$")


def _literal(values: Mapping[str, Any], notation: _Notation, indent: str) -> str:
    """Write a flat mapping, in one line when it is short."""
    pairs = [f"{_value(name, notation)}{notation.pair}{_value(value, notation)}" for name, value in values.items()]
    line = notation.opening + ", ".join(pairs) + notation.closing
    if len(line) <= 60:
        return line
    return notation.opening + "".join(f"\n{indent}    {pair}," for pair in pairs) + f"\n{indent}{notation.closing}"


def _value(value: Any, notation: _Notation) -> str:
    if value is None:
        return notation.null
    if isinstance(value, bool):
        return notation.true if value else notation.false
    if not isinstance(value, str):
        return str(value)
    text = _text(value)
    return text.replace(notation.escape, f"\\{notation.escape}") if notation.escape else text


def _text(value: str) -> str:
    """Write a string in the form that all of the languages share."""
    return json.dumps(value, ensure_ascii=False)


def _php_url(sample: Sample, build: str) -> str:
    url = _text(sample.url)
    return f'{url[:-1]}?" . {build}({_literal(sample.query, _PHP, "")})' if sample.query else url
