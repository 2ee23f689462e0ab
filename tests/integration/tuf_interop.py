#!/usr/bin/env python3
"""picket-tuf-client against a repository that shares no line of code with it: own canonical JSON, keys of python-cryptography, a plain
HTTP/1.0 server. Exit status 77 (skipped) where python3-cryptography is not installed."""
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
except ImportError:
    print("python3-cryptography is not installed: skipped")
    sys.exit(77)

EXPIRES = "2099-01-01T00:00:00Z"


def canonical(value):
    if isinstance(value, dict):
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(v) for v in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return json.dumps(value)


class Key:
    def __init__(self, kind):
        self.kind = kind
        if kind == "ed25519":
            self.private = ed25519.Ed25519PrivateKey.generate()
            raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            self.public = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": raw.hex()}}
        else:
            self.private = ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
            pem = self.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
            scheme = "ecdsa-sha2-nistp256" if kind == "ecdsa" else "rsassa-pss-sha256"
            self.public = {"keytype": kind, "scheme": scheme, "keyval": {"public": pem}}
        self.id = hashlib.sha256(canonical(self.public).encode()).hexdigest()

    def sign(self, data):
        if self.kind == "ed25519":
            return self.private.sign(data).hex()
        if self.kind == "ecdsa":
            return self.private.sign(data, ec.ECDSA(hashes.SHA256())).hex()
        return self.private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH), hashes.SHA256()).hex()


class Repository(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def publish(self, path, signed, keys):
        data = canonical(signed).encode()
        document = {"signatures": [{"keyid": k.id, "sig": k.sign(data)} for k in keys], "signed": signed}
        self.files[path] = json.dumps(document, indent=1, ensure_ascii=path.startswith("1.")).encode()  # both ways to write what is not ASCII


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = urllib.parse.unquote(self.path.lstrip("/"))
        self.server.requests.append(path)
        data = self.server.files.get(path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def common(kind, version=1):
    return {"_type": kind, "spec_version": "1.0.31", "version": version, "expires": EXPIRES}


def main():
    client = os.path.join(os.environ["PICKET_BIN"], "picket-tuf-client")
    keys = [Key(kind) for kind in ("ed25519", "ecdsa", "rsa")]
    role = {"keyids": [k.id for k in keys], "threshold": 3}
    unknown = {"x-\u00e9\u20ac\U0001f512": ['"quoted\\', "line\nline\ttab", -5, True, None, {}], "a": 1, "B": 2}
    root = common("root") | {"consistent_snapshot": True, "keys": {k.id: k.public for k in keys}, "unknown": unknown,
                             "roles": {name: role for name in ("root", "timestamp", "snapshot", "targets")}}
    content = os.urandom(5000)
    digest = hashlib.sha512(content).hexdigest()
    delegated = common("targets") | {"targets": {"dir/\u00e9 file": {"length": len(content), "hashes": {"sha512": digest}, "custom": unknown}}}
    targets = common("targets") | {"targets": {}, "delegations": {"keys": {keys[1].id: keys[1].public}, "roles": [
        {"name": "r\u00f4le/\u20ac", "keyids": [keys[1].id], "threshold": 1, "terminating": False, "paths": ["dir/? f*"]}]}}
    snapshot = common("snapshot") | {"meta": {"targets.json": {"version": 1}, "r\u00f4le/\u20ac.json": {"version": 1}}}

    server = Repository()
    server.publish("1.root.json", root, keys)
    server.publish("2.root.json", root | {"version": 2}, keys)
    server.publish("1.targets.json", targets, keys)
    server.publish("1.r\u00f4le/\u20ac.json", delegated, [keys[1]])
    server.publish("1.snapshot.json", snapshot, keys)
    data = server.files["1.snapshot.json"]
    server.publish("timestamp.json", common("timestamp") | {"meta": {"snapshot.json": {
        "version": 1, "length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}}}, keys)
    server.files[f"dir/{digest}.\u00e9 file"] = content

    with tempfile.TemporaryDirectory() as folder:
        first = os.path.join(folder, "first.json")
        with open(first, "wb") as out:
            out.write(server.files["1.root.json"])
        metadata, artifacts = os.path.join(folder, "metadata"), os.path.join(folder, "artifacts")
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        subprocess.run([client, "--metadata-dir", metadata, "init", first], check=True, timeout=60)
        subprocess.run([client, "--metadata-url", url, "--metadata-dir", metadata, "--target-name", "dir/\u00e9 file", "--target-dir", artifacts,
                        "--target-base-url", url, "download"], check=True, timeout=60)
        with open(os.path.join(artifacts, urllib.parse.quote("dir/\u00e9 file", safe="")), "rb") as got:
            assert got.read() == content
        stored = sorted(name for name in os.listdir(metadata) if name.endswith(".json"))
        assert stored == sorted([urllib.parse.quote("r\u00f4le/\u20ac", safe="") + ".json", "root.json", "snapshot.json", "targets.json", "timestamp.json"]), stored
        with open(os.path.join(metadata, "root.json"), "rb") as got:
            assert got.read() == server.files["2.root.json"]
        assert server.requests == ["2.root.json", "3.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", "1.r\u00f4le/\u20ac.json",
                                   f"dir/{digest}.\u00e9 file"], server.requests
        # One of the three signatures is by another key of the same kind: below the threshold.
        for spoilt in range(3):
            other = list(keys)
            other[spoilt] = Key(keys[spoilt].kind)
            other[spoilt].id = keys[spoilt].id
            server.publish("timestamp.json", common("timestamp", 2 + spoilt) | {"meta": {"snapshot.json": {"version": 1}}}, other)
            ran = subprocess.run([client, "--metadata-url", url, "--metadata-dir", metadata, "refresh"], stderr=subprocess.PIPE, text=True, timeout=60)
            assert ran.returncode == 1 and "timestamp is signed by 2 of its keys, 3 are needed" in ran.stderr, ran
    print("ok: python-cryptography signed, picket-tuf-client verified")


main()
