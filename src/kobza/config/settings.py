"""Every setting of Kobza: its type, its default and what it means.

The values are immutable and already of the type that the code wants. `kobza.config.loading.load` makes them; nothing
but the composition root (`kobza.cli`, `kobza.app`) reads them. `docs/configuration.md` describes each, and a test
compares the two.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, PlainSerializer, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kobza.call.outside import MOST as MOST_SPENDING
from kobza.config import reading
from kobza.config.reading import NG_PORT
from kobza.config.values import Collector, ListenAddress, PortRange, Rate, SipListen
from kobza.store.days import LEAST, MOST, Terms
from kobza.store.place import STORE_FILE, Place, PostgresUrl
from kobza.webhooks.limits import Limits

Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
SECONDS_OF_A_DAY = 86_400
PORTS_OF_A_CALL = 4
MIN_SECRET = 32
"""Characters of a shared secret: 128 bits even when it is written in hexadecimal digits."""

Seconds = Annotated[int, Field(ge=1, le=SECONDS_OF_A_DAY)]
Spending = Annotated[int, Field(ge=0, le=MOST_SPENDING)]
AsText = PlainSerializer(str, return_type=str)
AsTexts = PlainSerializer(reading.texts, return_type=list[str])
RateText = Annotated[InstanceOf[Rate], BeforeValidator(reading.rate), AsText]


class Settings(BaseSettings):
    """The settings in force. Durations are whole seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="KOBZA_", enable_decoding=False, extra="forbid", frozen=True, validate_default=True
    )

    data: Path = Field(Path("kobza-data"), description="Directory of the store, the recordings and kobza.toml.")
    store: Annotated[
        InstanceOf[PostgresUrl] | None,
        BeforeValidator(reading.store),
        PlainSerializer(reading.store_text, return_type=str),
    ] = Field(None, description="Where the store is: sqlite is a file in the data directory; else a PostgreSQL URL.")
    http: Annotated[InstanceOf[ListenAddress], BeforeValidator(reading.listen_address), AsText] = Field(
        ListenAddress("127.0.0.1", 8080), description="Address and port of the API and the portal."
    )
    sip: Annotated[tuple[InstanceOf[SipListen], ...], BeforeValidator(reading.sip_listens), AsTexts] = Field(
        (SipListen.parse("udp:127.0.0.1:5060"), SipListen.parse("tcp:127.0.0.1:5060")),
        description="Transports, addresses and ports of SIP.",
    )
    sip_host: Annotated[str | None, BeforeValidator(reading.host)] = Field(
        None, description="Address by which SIP peers on the internet reach this machine; none: its own."
    )
    sip_udp_max: Annotated[int, Field(ge=0, le=65535)] = Field(
        1300, description="Bytes of a request above which it goes over TCP in the place of UDP; 0: never."
    )
    sip_certificate: Path | None = Field(
        None, description="PEM file with the certificate of `tls` and `wss` and its chain; none: neither can be used."
    )
    sip_key: Path | None = Field(None, description="PEM file with the key of that certificate.")
    sip_client_certificate: Path | None = Field(
        None, description="PEM file with the certificate that trunks are shown which ask for one; none: that of `tls`."
    )
    sip_client_key: Path | None = Field(None, description="PEM file with the key of that one.")
    sip_authorities: Annotated[tuple[Path, ...], BeforeValidator(reading.words)] = Field(
        (), description="PEM files with authorities that are trusted beside the machine's, over TLS with trunks."
    )
    dns_servers: Annotated[tuple[InstanceOf[ListenAddress], ...], BeforeValidator(reading.name_servers), AsTexts] = (
        Field((), description="Name servers that find trunks by their names; none: those of the machine.")
    )
    rtp_host: Annotated[str, BeforeValidator(reading.host)] = Field(
        "127.0.0.1", description="Address of the media, as phones are told it."
    )
    rtp_bind: Annotated[str | None, BeforeValidator(reading.host)] = Field(
        None, description="Address of this machine at which the media arrive; none: `rtp_host`."
    )
    rtp_host6: Annotated[str | None, BeforeValidator(reading.host)] = Field(
        None, description="Address of the media, as phones on IPv6 are told it; none: `rtp_host`."
    )
    rtp_ports: Annotated[InstanceOf[PortRange], BeforeValidator(reading.port_range), AsText] = Field(
        PortRange(20000, 20999), description="UDP ports of the media; a call takes four."
    )
    media_plane: Literal["embedded", "rtpengine"] = Field(
        "embedded", description="What carries the media: a process of Kobza's own, or rtpengine."
    )
    rtpengine: Annotated[tuple[InstanceOf[ListenAddress], ...], BeforeValidator(reading.rtpengines), AsTexts] = Field(
        (ListenAddress("127.0.0.1", NG_PORT),), description="Where rtpengines take commands (NG over UDP)."
    )
    webrtc: bool = Field(True, description="Take calls of browsers: ICE and DTLS-SRTP.")
    webrtc_host: Annotated[str | None, BeforeValidator(reading.host)] = Field(
        None, description="Address of the media, as browsers are told it beside `rtp_host`; none: that one alone."
    )
    srtp_offer: bool = Field(False, description="Offer SRTP to phones whose signalling goes over TLS.")
    sip_realm: Annotated[str, AfterValidator(reading.realm)] = Field(
        "kobza", description="Realm of the phones' passwords; used by `kobza init` and fixed from then on."
    )
    sip_kept_mb: Annotated[int, Field(ge=0, le=4096)] = Field(
        16,
        description="Mebibytes of memory for the last SIP messages of calls, whole, for `kobza trace`; 0: none.",
    )
    registration_min: Seconds = Field(60, description="Shortest registration that a phone may ask for.")
    registration_max: Seconds = Field(3600, description="Longest registration that a phone is given.")
    registration_default: Seconds = Field(600, description="Registration of a phone that asks for no time.")
    ring_timeout: Annotated[int, Field(ge=5, le=300)] = Field(
        60, description="How long phones ring before the call ends unanswered (cause 19)."
    )
    pickup_code: Annotated[str, Field(pattern=r"^([*#][0-9*#]{1,4})?$")] = Field(
        "*8", description="What phones dial to pick up what rings elsewhere, before a number or alone; empty: nothing."
    )
    outside_calls_minute: Spending = Field(60, description="Calls that one number may begin by trunks in a minute.")
    outside_calls_hour: Spending = Field(0, description="The same in an hour.")
    outside_calls_day: Spending = Field(0, description="The same in a day (of Kyiv).")
    outside_at_once: Spending = Field(30, description="Calls that one number may have by trunks at once.")
    outside_minutes_day: Spending = Field(0, description="Minutes that one number may talk by trunks in a day.")
    outside_denied: Annotated[tuple[str, ...], BeforeValidator(reading.prefixes), AsTexts] = Field(
        ("+380900", "+870", "+881", "+882", "+883", "+979"),
        description="Prefixes of numbers that nobody calls by a trunk unless it was allowed: dear ones.",
    )
    media_timeout: Annotated[int, Field(ge=5, le=SECONDS_OF_A_DAY)] = Field(
        60, description="Silence on the wire after which an established call is ended (cause 41)."
    )
    media_processes: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Processes that share the media of calls; one carries some 800 calls on a core."
    )
    media_loop: Literal["auto", "python", "compiled"] = Field(
        "auto", description="What moves audio packets: `compiled` (by `make compile`), `python`, or `auto`: the faster."
    )
    media_priority: Literal["auto", "realtime", "normal"] = Field(
        "normal",
        description="Whether audio waits for other programs: `realtime` (never), `normal`, `auto`: as is allowed.",
    )
    one_way_after: Annotated[int, Field(ge=2, le=3600)] = Field(
        10, description="Silence of a side that should be heard, while the other one is, after which it is named."
    )
    session_expires: Annotated[int, Field(ge=0, le=SECONDS_OF_A_DAY)] = Field(
        1800,
        description="Time without a sign of life after which a call is ended (cause 102); 0: none is asked for.",
    )
    session_min_se: Annotated[int, Field(ge=1, le=SECONDS_OF_A_DAY)] = Field(
        90, description="Shortest such time that a phone or trunk may ask for."
    )
    nonce_lifetime: Annotated[int, Field(ge=10, le=SECONDS_OF_A_DAY)] = Field(
        300, description="How long a digest challenge is good for."
    )
    sip_never_ban: Annotated[tuple[Network, ...], BeforeValidator(reading.networks), AsTexts] = Field(
        LOOPBACK, description="Networks from which SIP is neither limited nor banned; trunks never are."
    )
    sip_ban: Annotated[int, Field(ge=0, le=10_080)] = Field(
        10, description="Minutes of the first ban of an address that guesses passwords; 0: none is banned by itself."
    )
    rate_sip_guesses: RateText = Field(
        Rate(30, 600), description="Wrong passwords of one address over SIP before it is banned."
    )
    rate_sip_phone: RateText = Field(
        Rate(2000, 10), description="SIP messages of one device that has proven its password."
    )
    rate_sip_source: RateText = Field(
        Rate(500, 10), description="SIP messages of one address that has not proven any password."
    )
    rate_sip_strangers: RateText = Field(Rate(3000, 10), description="SIP messages of all such addresses together.")
    nonce_secret: SecretStr | None = Field(
        None, description="Key of the digest challenges, to be shared by several nodes; none: made anew at each start."
    )
    portal_url: Annotated[str | None, AfterValidator(reading.portal_url)] = Field(
        None, description="Where browsers find the portal; needed for OpenID Connect."
    )
    oidc_issuer: Annotated[str | None, AfterValidator(reading.issuer)] = Field(
        None, description="OpenID Connect provider by which people may sign in to the portal too; none: by none."
    )
    oidc_client_id: Annotated[str | None, Field(min_length=1)] = Field(
        None, description="What the portal is called at that provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="The portal's secret at that provider; none: a public client, with PKCE alone."
    )
    oidc_claim: Annotated[str, Field(min_length=1)] = Field(
        "preferred_username", description="Claim that names the login here, at the first sign-in by the provider."
    )
    oidc_scopes: Annotated[tuple[str, ...], BeforeValidator(reading.scopes), AsTexts] = Field(
        ("openid", "profile", "email"), description="Scopes that the provider is asked for."
    )
    oidc_allow: Annotated[tuple[str, ...], BeforeValidator(reading.allowed_claims), AsTexts] = Field(
        (),
        description="Claims with a value, of which people need one to be let in; none: the provider decides.",
    )
    oidc_name: Annotated[str | None, Field(max_length=40)] = Field(
        None, description="What people call the provider: the text of the button says it."
    )
    webhook_allow: Annotated[tuple[Network, ...], BeforeValidator(reading.networks), AsTexts] = Field(
        (), description="Private networks that webhooks may go to."
    )
    webhook_in_flight: Annotated[int, Field(ge=1, le=1000)] = Field(
        16, description="Requests under way to one endpoint at a time."
    )
    webhook_held: Annotated[int, Field(ge=100, le=1_000_000)] = Field(
        20_000, description="Deliveries held in memory; what is beyond waits in the store."
    )
    webhook_timeout: Annotated[int, Field(ge=1, le=120)] = Field(15, description="Longest time of one webhook request.")
    webhook_connect_timeout: Annotated[int, Field(ge=1, le=120)] = Field(
        5, description="Longest time of each step until a webhook's receiver is connected to."
    )
    webhook_answer_timeout: Annotated[int, Field(ge=1, le=120)] = Field(
        10, description="Longest wait of a webhook request that was sent for the beginning of its answer."
    )
    webhook_http2: bool = Field(False, description="Offer HTTP/2 to webhooks' receivers that are reached over TLS.")
    webhook_off_after: Annotated[int, Field(ge=0, le=8760)] = Field(
        72, description="Hours without a call state taken after which an endpoint is switched off; 0: never."
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(reading.networks), AsTexts] = Field(
        (), description="Reverse proxies that are believed about the address of a client."
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="Header in which the trusted proxies write that address."
    )
    token_overlap: Annotated[int, Field(ge=0, le=90 * SECONDS_OF_A_DAY)] = Field(
        SECONDS_OF_A_DAY, description="How long the old FMC token goes on after a rotation that says nothing else."
    )
    rate_read: RateText = Field(Rate(6000, 60), description="Requests of one FMC token that read.")
    rate_export: RateText = Field(
        Rate(600, 60), description="Requests of one FMC token for the history (callstat, callhistory)."
    )
    rate_control: RateText = Field(
        Rate(1200, 60), description="Requests of one FMC token that make or act on calls or change settings."
    )
    rate_failures: RateText = Field(
        Rate(60, 60), description="Requests of one address that fail for their token, integrator or address."
    )
    event_streams: Annotated[int, Field(ge=1, le=100_000)] = Field(
        500, description="Live streams of call states that may be open at a time."
    )
    event_streams_per_enterprise: Annotated[int, Field(ge=1, le=100_000)] = Field(
        20, description="Live streams of call states of one enterprise."
    )
    history_days: Annotated[int, Field(ge=LEAST.history_days, le=MOST)] = Field(
        1095, description="Days for which calls are kept."
    )
    recording_days: Annotated[int, Field(ge=LEAST.recording_days, le=MOST)] = Field(
        1095, description="Days for which recordings are kept, within those of their calls."
    )
    event_days: Annotated[int, Field(ge=LEAST.event_days, le=MOST)] = Field(
        7, description="Days for which call states, their deliveries and the attempts are kept."
    )
    payload_days: Annotated[int, Field(ge=LEAST.payload_days, le=MOST)] = Field(
        7, description="Days for which it is kept who is in a call state and what receivers answered."
    )
    recordings_keep_free_mb: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        200, description="Megabytes that stay free on the disk: with fewer, calls are not recorded; 0: they always are."
    )
    recordings_keys: Path | None = Field(
        None, description="File with the keys by which new recordings are encrypted; none: they are not."
    )
    recordings_store: Literal["local", "s3"] = Field(
        "local", description="Where recordings are kept: in the data directory, or in a bucket (S3)."
    )
    recordings_local_hours: Annotated[int, Field(ge=0, le=87_600)] = Field(
        24, description="Hours for which the copy here is kept after the bucket has a recording."
    )
    s3_endpoint: Annotated[str | None, AfterValidator(reading.s3_endpoint)] = Field(
        None, description="Where the service of the bucket is: a URL; https, or http on a network that is yours."
    )
    s3_bucket: Annotated[str | None, AfterValidator(reading.s3_bucket)] = Field(
        None, description="Name of the bucket, which exists already; none: there is no bucket."
    )
    s3_region: Annotated[str, AfterValidator(reading.s3_region)] = Field(
        "us-east-1", description="Region of the bucket, as its service calls it."
    )
    s3_prefix: Annotated[str | None, AfterValidator(reading.s3_prefix)] = Field(
        None, description="Begins the names of the objects, with a slash at its end; none: nothing does."
    )
    s3_access_key: Annotated[str | None, Field(min_length=1)] = Field(
        None, description="Access key of the bucket's account."
    )
    s3_secret_key: SecretStr | None = Field(None, description="Secret key of that account.")
    metrics_allow: Annotated[tuple[Network, ...], BeforeValidator(reading.networks), AsTexts] = Field(
        LOOPBACK, description="Who may read the metrics at `/metrics`."
    )
    otlp_url: Annotated[str | None, AfterValidator(reading.collector)] = Field(
        None, description="OpenTelemetry collector that gets the traces of calls, by OTLP over HTTP; none: no traces."
    )
    trace_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="The part of all calls that is traced, when there is a collector."
    )
    hep_server: Annotated[
        InstanceOf[Collector] | None,
        BeforeValidator(reading.collector_of_messages),
        PlainSerializer(reading.text_or_none),
    ] = Field(None, description="Collector (Homer) that gets a copy of each SIP message, by HEP3; none: nobody does.")
    hep_id: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        1, description="Number by which that collector knows this server."
    )
    hep_password: SecretStr | None = Field(None, description="Key that the collector wants to see, if it wants one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least serious line logged.")
    log_format: Literal["console", "json"] = Field("console", description="Log lines for people or for programs.")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not self.registration_min <= self.registration_default <= self.registration_max:
            raise ValueError(
                "registration_default: expected a value from registration_min to registration_max "
                f"({self.registration_min} to {self.registration_max})"
            )
        if 0 < self.session_expires < self.session_min_se:
            raise ValueError(f"session_expires: expected 0 or at least session_min_se ({self.session_min_se})")
        for pair in (("sip_certificate", "sip_key"), ("sip_client_certificate", "sip_client_key")):
            for given, missing in (pair, pair[::-1]):
                if getattr(self, given) is not None and getattr(self, missing) is None:
                    raise ValueError(f"{missing}: expected a file too, as {given} is given")
        secure = [str(listen) for listen in self.sip if listen.transport in ("tls", "wss")]
        if secure and self.sip_certificate is None:
            raise ValueError(f"sip_certificate: expected a file, as sip has {secure[0]}")
        for name in ("rtp_host", "rtp_host6", "sip_host"):
            if (told := getattr(self, name)) is not None and ip_address(told).is_unspecified:
                raise ValueError(f"{name}: expected the address that peers are told, not {told}, which is none")
        if self.rtp_host6 is not None and (":" not in self.rtp_host6 or ":" in self.rtp_host):
            raise ValueError("rtp_host6: expected an IPv6 address beside an rtp_host of IPv4, such as 2001:db8::10")
        if self.rtp_bind is not None and (
            self.rtp_host6 is not None or (":" in self.rtp_bind) != (":" in self.rtp_host)
        ):
            raise ValueError("rtp_bind: expected an address of the family of rtp_host, and none beside rtp_host6")
        if self.media_processes > 1 and len(self.rtp_ports.ports) <= PORTS_OF_A_CALL * self.media_processes:
            raise ValueError(f"rtp_ports: expected {PORTS_OF_A_CALL} ports at least for each of media_processes")
        if self.media_plane == "rtpengine":
            for name in ("rtp_host6", "srtp_offer"):
                if getattr(self, name):
                    raise ValueError(f"{name}: expected to be off with media_plane rtpengine, which has none of it")
        if self.nonce_secret is not None and len(self.nonce_secret.get_secret_value()) < MIN_SECRET:
            raise ValueError(f"nonce_secret: expected at least {MIN_SECRET} characters")
        for name in ("oidc_client_id", "portal_url") if self.oidc_issuer is not None else ():
            if getattr(self, name) is None:
                raise ValueError(f"{name}: expected a value, as oidc_issuer is set")
        if self.recordings_store == "s3" and self.s3_bucket is None:
            raise ValueError("s3_bucket: expected the name of a bucket, as recordings_store is s3")
        for name in ("s3_endpoint", "s3_access_key", "s3_secret_key") if self.s3_bucket is not None else ():
            if getattr(self, name) is None:
                raise ValueError(f"{name}: expected a value, as s3_bucket is set")
        return self


def store_place(settings: Settings) -> Place:
    """Return where the store is."""
    return settings.data / STORE_FILE if settings.store is None else settings.store


def name_servers(settings: Settings) -> list[tuple[str, int]]:
    """Return addresses and ports of the name servers; none: those of the machine."""
    return [(server.host, server.port) for server in settings.dns_servers]


def retention_terms(settings: Settings) -> Terms:
    """Return how long things are kept for enterprises that say nothing else."""
    return Terms(settings.history_days, settings.recording_days, settings.event_days, settings.payload_days)


def webhook_limits(settings: Settings) -> Limits:
    """Return how long each phase of a webhook request may take."""
    step = settings.webhook_connect_timeout
    return Limits(
        lookup=step, connect=step, tls=step, answer=settings.webhook_answer_timeout, total=settings.webhook_timeout
    )


def unheard(settings: Settings) -> str | None:
    """Say why phones elsewhere would hear nothing: they reach SIP, and are told loopback for their audio. None: no."""
    elsewhere = [str(listen) for listen in settings.sip if not listen.address.is_loopback]
    if not elsewhere or not ip_address(settings.rtp_host).is_loopback:
        return None
    return f"phones reach {elsewhere[0]} and are told to send their audio to {settings.rtp_host}"


def webhook_networks(settings: Settings) -> tuple[Network, ...]:
    """Return the networks that are not public and to which webhooks may go all the same.

    They are the configured ones. When HTTP, SIP and media all listen on loopback addresses only, loopback is allowed
    too: then whoever can set a webhook is on this machine and reaches every service on it without our help.
    """
    hosts = [settings.http, *(listen.address for listen in settings.sip)]
    hosts += [ListenAddress(host, 0) for host in (settings.rtp_host, settings.rtp_host6) if host is not None]
    if all(host.is_loopback for host in hosts):
        return (*settings.webhook_allow, *LOOPBACK)
    return settings.webhook_allow
