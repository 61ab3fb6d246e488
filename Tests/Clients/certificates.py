"""Makes certificates for the tests of TLS, with the openssl command; none is kept anywhere."""

import pathlib
import subprocess
import tempfile


class Certificates:
    """An authority, and what it has signed: PEM files in a folder that goes with this."""

    def __init__(self):
        self.holder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.holder.name)
        self.make("authority", "critical,CA:TRUE", None)
        self.make("localhost", "CA:FALSE", "authority", "DNS:localhost,IP:127.0.0.1")
        self.make("elsewhere", "CA:FALSE", "authority", "DNS:elsewhere.example")
        self.make("selfsigned", "CA:FALSE", None, "DNS:localhost,IP:127.0.0.1")
        self.make("expired", "CA:FALSE", "authority", "DNS:localhost,IP:127.0.0.1", days=-1)

    def make(self, name, constraints, issuer, names="DNS:authority.example", days=30):
        """Makes NAME.pem and NAME-key.pem; signed by itself where nobody else is named."""
        signer = issuer or name
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key(name))
        self.openssl("req", "-new", "-key", self.key(name), "-subj", f"/CN={name}", "-out", self.folder / "request")
        (self.folder / "extensions").write_text(f"basicConstraints={constraints}\nsubjectAltName={names}\n")
        options = ["-signkey", self.key(name)] if issuer is None else [
            "-CA", self.chain(signer), "-CAkey", self.key(signer), "-CAcreateserial"]
        self.openssl("x509", "-req", "-in", self.folder / "request", "-days", str(days), "-extfile",
                     self.folder / "extensions", "-out", self.chain(name), *options)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def chain(self, name):
        return self.folder / f"{name}.pem"

    def key(self, name):
        return self.folder / f"{name}-key.pem"

    def options(self, name):
        """What makes a server show this certificate."""
        return ["--tls-certificate", self.chain(name), "--tls-key", self.key(name)]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.holder.cleanup()
