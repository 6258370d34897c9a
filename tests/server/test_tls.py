"""TLS and mTLS with certificates of the test's own authority, and addresses that cannot be used."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from inkguard.client import AsyncClient, CallError, Client, Tls
from inkguard.types import Action
from inkguard_server.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from tests.server.conftest import Live

TOXIC = 'a red sign that says "IDIOT"'


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """PEM files: the server's, a client's, their authority's, and another authority's."""
    folder = tmp_path_factory.mktemp("tls")
    authorities = {"ca": trustme.CA(), "other_ca": trustme.CA()}
    found: dict[str, Path] = {}

    def write(name: str, *blobs: trustme.Blob) -> None:
        found[name] = folder / f"{name}.pem"
        found[name].write_bytes(b"".join(blob.bytes() for blob in blobs))

    for name, authority in authorities.items():
        write(name, authority.cert_pem)
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "other_ca")):
        leaf = authorities[authority].issue_cert("127.0.0.1", "localhost")
        write(name, *leaf.cert_chain_pems)
        write(f"{name}_key", leaf.private_key_pem)
    return found


def code(address: str, tls: Tls | None) -> str:
    """What a client gets: "OK", or the status' name."""
    try:
        with Client(address, tls=tls, attempts=1, timeout=10) as client:
            client.check("a cat")
    except CallError as error:
        return error.code
    return "OK"


@pytest.mark.parametrize(
    ("server", "client", "wanted"),
    [
        ({}, {"ca": "ca"}, "OK"),
        ({}, None, "UNAVAILABLE"),
        ({}, {"ca": "other_ca"}, "UNAVAILABLE"),
        ({}, {}, "UNAVAILABLE"),
        ({"client_ca": "ca"}, {"ca": "ca"}, "UNAVAILABLE"),
        ({"client_ca": "ca"}, {"ca": "ca", "certificate": "client", "key": "client_key"}, "OK"),
        (
            {"client_ca": "ca"},
            {"ca": "ca", "certificate": "stranger", "key": "stranger_key"},
            "UNAVAILABLE",
        ),
        ({"client_ca": "ca"}, None, "UNAVAILABLE"),
    ],
    ids=[
        *("tls", "plaintext", "other-authority", "system-authorities"),
        *("mtls-without", "mtls", "mtls-stranger", "mtls-plaintext"),
    ],
)
def test_who_may_connect(
    serve: Callable[..., Live],
    files: dict[str, Path],
    server: dict[str, str],
    client: dict[str, str] | None,
    wanted: str,
) -> None:
    """Only a client that trusts the server, and for mTLS one that the server trusts."""
    own = {"certificate": files["server"], "key": files["server_key"]}
    live = serve(tls={**own, **{k: files[v] for k, v in server.items()}})
    tls = None if client is None else Tls(**{k: files[v] for k, v in client.items()})
    assert code(live.sidecar.address, tls) == wanted


@pytest.mark.parametrize("speaks", [False, True], ids=["the client does not", "the client does"])
def test_where_one_side_alone_speaks_tls_the_error_says_that_it_may_be_that(
    serve: Callable[..., Live], files: dict[str, Path], speaks: bool
) -> None:
    """gRPC's own words are "Socket closed" and a number of OpenSSL's."""
    own = {"certificate": files["server"], "key": files["server_key"]}
    live = serve(tls=None if speaks else own)
    tls = Tls(ca=files["ca"]) if speaks else None
    with (
        Client(live.sidecar.address, tls=tls, attempts=1, timeout=10) as client,
        pytest.raises(CallError, match="TLS") as error,
    ):
        client.check(TOXIC)
    assert error.value.code == "UNAVAILABLE"


def test_the_client_for_asyncio_speaks_tls_too(
    serve: Callable[..., Live], files: dict[str, Path]
) -> None:
    """With the same certificates."""
    live = serve(tls={"certificate": files["server"], "key": files["server_key"]})

    async def check() -> Any:
        async with AsyncClient(live.sidecar.address, tls=Tls(ca=files["ca"])) as client:
            return await client.check(TOXIC)

    assert live.loop.run(check()).action is Action.SUBSTITUTE


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
def test_a_file_that_is_missing_is_named(
    serve: Callable[..., Live], files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """With the setting that names it."""
    tls = {"certificate": files["server"], "key": files["server_key"], name: tmp_path / "no.pem"}
    with pytest.raises(SettingsError, match=rf"^tls\.{name}: .*no\.pem: No such file"):
        serve(tls=tls)


@pytest.mark.parametrize("name", ["certificate", "key"])
def test_a_file_that_is_no_pem_is_blamed_on_tls_too(
    serve: Callable[..., Live], files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """gRPC tells no difference between that and an address that is taken."""
    (tmp_path / "bad.pem").write_text("no certificate\n")
    tls = {"certificate": files["server"], "key": files["server_key"], name: tmp_path / "bad.pem"}
    with pytest.raises(SettingsError, match="files of tls"):
        serve(tls=tls)


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.org:1"])
def test_plain_text_stays_on_loopback(listen: str, files: dict[str, Path]) -> None:
    """Beyond it the settings are refused without TLS or the operator's word."""
    with pytest.raises(SettingsError, match="allow_plaintext_on_network"):
        load_settings(listen=listen)
    assert load_settings(listen=listen, allow_plaintext_on_network=True).tls is None
    tls = {"certificate": files["server"], "key": files["server_key"]}
    assert load_settings(listen=listen, tls=tls).listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "localhost:1"])
def test_loopback_needs_no_tls(listen: str) -> None:
    """In any of its names."""
    assert load_settings(listen=listen).listen == listen


@pytest.mark.parametrize("setting", ["listen", "metrics"])
def test_an_address_that_is_taken_is_named(serve: Callable[..., Live], setting: str) -> None:
    """By whatever program."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(SettingsError, match=f"^{setting}: {address}: "):
            serve(**{setting: address})


def test_a_second_sidecar_does_not_share_the_first_ones_port(serve: Callable[..., Live]) -> None:
    """Requests would go to the one or the other by chance."""
    first = serve()
    with pytest.raises(SettingsError, match=f"^listen: {first.sidecar.address}: "):
        serve(listen=first.sidecar.address)


def test_ipv6_addresses_can_be_used_as_told(serve: Callable[..., Live]) -> None:
    """With brackets, for gRPC and for metrics."""
    live = serve(listen="[::1]:0", metrics="[::1]:0")
    assert code(live.sidecar.address, None) == "OK"
    assert live.sidecar.metrics_address.startswith("[::1]:")
    assert live.samples()["inkguard_requests_total{method=CheckPrompt,status=OK}"] == 1
