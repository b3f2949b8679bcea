"""A server of tokens for a registry, as code hosts have one: it gives a signed token to whoever knows the password."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.registry_server import PASSWORD, USER


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, Any]]:
    """Settings of a registry that believes this server's tokens."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = _certificate(key)
    (folder / "tokens.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {known}":
                self.send_response(401)
                self.end_headers()
                return
            asked = parse_qs(urlsplit(self.path).query)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"token": _token(key, certificate, asked)}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    realm = f"http://127.0.0.1:{server.server_port}/token"
    stated = {"service": "tests", "issuer": "tests", "rootcertbundle": str(folder / "tokens.pem")}
    try:
        yield {"auth": {"token": {"realm": realm, **stated}}}
    finally:
        server.shutdown()
        server.server_close()


def _token(key: rsa.RSAPrivateKey, certificate: x509.Certificate, asked: dict[str, list[str]]) -> str:
    kind, name, actions = asked["scope"][0].split(":")
    now = int(time.time())
    claims = {
        "iss": "tests",
        "sub": USER,
        "aud": asked["service"][0],
        "exp": now + 60,
        "nbf": now - 300,
        "iat": now,
        "jti": uuid4().hex,
        "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
    }
    shown = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    signed = f"{_text({'typ': 'JWT', 'alg': 'RS256', 'x5c': [shown]})}.{_text(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _text(stated: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(stated).encode()).decode().rstrip("=")


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return made.sign(key, hashes.SHA256())
