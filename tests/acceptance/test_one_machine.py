"""What the runbook puts around the engine on a machine for good: systemd's unit and nginx."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.acceptance.running import ROOT, Program, free_port, wait_for
from tests.programs import need

pytestmark = pytest.mark.server
EMBEDDED = ROOT / "infra" / "embedded"
NAME = "channels.example.com"
WORST_EXPOSURE = 2.5
"""By systemd's own measure, 0 to 10; a unit without any protection has 9.6."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with the interpreter of these tests in the place of the one it is for."""
    text = (EMBEDDED / "broadcast-manager.service").read_text()
    command = "/opt/broadcast-manager/.venv/bin/python"
    assert text.count(command) == 1
    made = tmp_path / "broadcast-manager.service"
    made.write_text(text.replace(command, sys.executable))
    return made


def test_systemd_takes_the_unit_and_finds_it_locked_down(unit: Path) -> None:
    systemd = need("systemd-analyze")

    verified = subprocess.run([systemd, "verify", str(unit)], capture_output=True, text=True, check=False)
    judged = subprocess.run(
        [systemd, "security", "--offline=yes", "--no-pager", str(unit)], capture_output=True, text=True, check=False
    )

    assert (verified.returncode, verified.stderr) == (0, "")
    exposure = re.search(r"exposure level for \S+ ([\d.]+)", judged.stdout)
    assert exposure is not None, judged.stdout + judged.stderr
    assert float(exposure[1]) <= WORST_EXPOSURE


def test_the_unit_names_the_program_and_the_folder_of_the_runbook() -> None:
    text = (EMBEDDED / "broadcast-manager.service").read_text()
    runbook = (ROOT / "docs" / "runbook.md").read_text()

    assert "python -m infra.embedded\n" in text
    assert "WorkingDirectory=/opt/broadcast-manager\n" in text
    assert "ReadWritePaths=/opt/broadcast-manager/data\n" in text
    assert "install -d -o broadcast -g broadcast -m 700 /opt/broadcast-manager/data" in runbook


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for NAME that nobody but the test trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


class Proxy:
    """nginx with the project's configuration, on ports of its own."""

    def __init__(self, folder: Path, engine: int) -> None:
        self.nginx = need("nginx")
        self.http, self.https = free_port(), free_port()
        self.certificate, key = certificate(folder)
        site = (EMBEDDED / "nginx.conf").read_text()
        for old, new in {
            r"listen 80;": f"listen 127.0.0.1:{self.http};",
            r"listen 443 ssl": f"listen 127.0.0.1:{self.https} ssl",
            r"    listen \[::\]:\d+.*;\n": "",
            r"127\.0\.0\.1:8080": f"127.0.0.1:{engine}",
            r"/etc/letsencrypt/live/channels\.example\.com/fullchain\.pem": str(self.certificate),
            r"/etc/letsencrypt/live/channels\.example\.com/privkey\.pem": str(key),
        }.items():
            site, found = re.subn(old, new, site)
            assert found, old
        temporary = "".join(
            f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.file = folder / "nginx.conf"
        self.file.write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{ access_log off; {temporary}\n{site}\n}}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        return [self.nginx, "-e", "stderr", "-c", str(self.file)]

    def start(self) -> None:
        self.process = subprocess.Popen(self.command)
        wait_for(self.answers)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None
        try:
            return requests.get(f"http://127.0.0.1:{self.http}/", allow_redirects=False, timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    if made.process is not None:
        made.kill()


@pytest.fixture
def proxy(tmp_path: Path, program: Program) -> Iterator[Proxy]:
    made = Proxy(tmp_path, program.port)
    yield made
    made.stop()


def test_nginx_brings_https_to_the_engine(proxy: Proxy, program: Program) -> None:
    tested = subprocess.run([*proxy.command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    program.start()
    proxy.start()
    url, trust = f"https://localhost:{proxy.https}", str(proxy.certificate)

    well = requests.get(f"{url}/health", verify=trust, timeout=10)
    refused = requests.get(f"{url}/api/channels", verify=trust, timeout=10)
    large = requests.put(f"{url}/api/channels/-1", data=b"x" * 70_000, verify=trust, timeout=10)
    plain = requests.get(
        f"http://127.0.0.1:{proxy.http}/health", headers={"Host": NAME}, allow_redirects=False, timeout=10
    )

    assert well.json()["status"] == "healthy"
    assert well.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert refused.status_code == 401
    assert large.status_code == 413
    assert (plain.status_code, plain.headers["Location"]) == (301, f"https://{NAME}/health")
