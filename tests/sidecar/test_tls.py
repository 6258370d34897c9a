"""TLS and mTLS over a real socket, with certificates made for the test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme

from guard.client import AsyncClient, ServerError, Tls
from guard.errors import GuardError
from server.settings import SettingsError, load_settings


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A server's and a client's certificate of one authority, and another authority."""
    folder = tmp_path_factory.mktemp("tls")
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca")
    other.cert_pem.write_to_path(folder / "other")
    for name, host in (("server", "127.0.0.1"), ("client", "client.example")):
        certificate = authority.issue_cert(host)
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return {path.name: path for path in folder.iterdir()}


def status(serving: Any, tls: dict[str, Path], client: Tls | None) -> bool:
    async def body() -> bool:
        async with (
            serving(tls=tls) as sidecar,
            AsyncClient(sidecar.address, tls=client, attempts=1, timeout=10) as connection,
        ):
            return (await connection.status()).accepting

    return asyncio.run(body())


def test_tls_answers_whoever_trusts_its_authority(serving: Any, files: dict[str, Path]) -> None:
    """And nobody who talks in plain text, or trusts another authority."""
    tls = {"certificate": files["server.pem"], "key": files["server.key"]}
    assert status(serving, tls, Tls(ca=files["ca"]))
    for stranger in (None, Tls(ca=files["other"])):
        with pytest.raises(ServerError, match="UNAVAILABLE"):
            status(serving, tls, stranger)


def test_mtls_answers_only_clients_with_a_certificate(serving: Any, files: dict[str, Path]) -> None:
    """A client without one is not let in."""
    tls = {k: files[v] for k, v in _MTLS.items()}
    own = Tls(ca=files["ca"], certificate=files["client.pem"], key=files["client.key"])
    assert status(serving, tls, own)
    with pytest.raises(ServerError, match="UNAVAILABLE"):
        status(serving, tls, Tls(ca=files["ca"]))


_MTLS = {"certificate": "server.pem", "key": "server.key", "client_ca": "ca"}


def test_a_file_that_cannot_be_read_is_named(serving: Any, files: dict[str, Path]) -> None:
    """On the server as a setting, on the client as a file."""
    missing = Path("/nonexistent.key")
    with pytest.raises(SettingsError, match=r"tls.key: /nonexistent.key"):
        status(serving, {"certificate": files["server.pem"], "key": missing}, None)
    with pytest.raises(GuardError, match=r"/nonexistent.key"):
        AsyncClient("127.0.0.1:1", tls=Tls(ca=missing))


@pytest.mark.parametrize("address", ["0.0.0.0:1", "192.0.2.1:1", "[::]:1", "example.org:1"])
def test_plain_text_beyond_loopback_needs_plain_words(address: str) -> None:
    """Refused with what to set; allowed when that is set, or with TLS."""
    with pytest.raises(SettingsError, match="allow_plaintext_on_network"):
        load_settings(listen=address)
    assert load_settings(listen=address, allow_plaintext_on_network=True).listen == address
    tls = {"certificate": "a", "key": "b"}
    assert load_settings(listen=address, tls=tls).tls is not None


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"])
def test_loopback_needs_no_tls(address: str) -> None:
    """It is the default."""
    assert load_settings(listen=address).tls is None
