"""Real servers for tests that are scripts, beside the nginx of picket_site: vsftpd, OpenSSH's sshd, Samba's smbd and dnsmasq, set up as their C++
neighbours are. Each on a port of its own on loopback; users and passwords are in files of the test only, nothing of the system's is touched."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

from picket_site import LIMIT, Running, free_port, run

PACKAGES = {"vsftpd": "vsftpd", "sshd": "openssh-server", "ssh-keygen": "openssh-client", "smbd": "samba", "smbpasswd": "samba-common-bin", "dnsmasq": "dnsmasq-base", "nginx": "nginx-light",
            "openssl": "openssl", "smbnetfs": "smbnetfs", "fusermount": "fuse3"}
PASSWORD = "hunter2"  # of the user tester


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def skip_without(*programs, nss_wrapper=False):
    """Ends as a test that was skipped, and says which packages it misses."""
    missing = sorted({PACKAGES[name] for name in programs if program(name) is None})
    if nss_wrapper and not any(pathlib.Path("/usr/lib").glob("**/libnss_wrapper.so")):
        missing.append("libnss-wrapper")
    if missing:
        print("skipped: not installed: " + ", ".join(missing))
        sys.exit(77)


def family_of(oldest):
    """The process and all that descend from it: servers put the children that serve one client into sessions of their own."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            pass  # it ended meanwhile
    family = [oldest]
    for one in family:
        family += [pid for pid, parent in parents.items() if parent == one]
    return family


class Server(Running):
    def tell(self, what):
        """A signal for the server and for whoever serves a client that stays connected."""
        for pid in family_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, what)

    def end(self, by=signal.SIGKILL):
        """At once: as a computer that was switched off."""
        if self.process is None:
            return
        self.tell(by)
        process, self.process = self.process, None
        process.wait(LIMIT)

    def __exit__(self, failure, *rest):
        if failure is not None:
            print(f"{self.folder.name} said:\n{self.log()}", file=sys.stderr)
        self.end()

    def users(self, *more):
        """What lets a server believe that there is a user tester, who is whoever runs the test."""
        user, group = os.geteuid(), os.getegid()
        (self.folder / "passwd").write_text(f"tester:x:{user}:{group}::{self.folder}:/bin/sh\nroot:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n" + "".join(more))
        (self.folder / "group").write_text(f"tester:x:{group}:\nnogroup:x:65534:\n" + ("" if group == 0 else "root:x:0:\n"))
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"), "NSS_WRAPPER_GROUP": str(self.folder / "group")}


class Vsftpd(Server):
    """For anonymous. `tls`: only with AUTH TLS, by a certificate that is in `certificate`."""

    def __init__(self, folder, root, tls=False):
        super().__init__(folder)
        self.port, self.certificate = free_port(), folder / "certificate.pem"
        self.url = f"ftp://127.0.0.1:{self.port}/"
        lines = ["listen=YES", "listen_address=127.0.0.1", f"listen_port={self.port}", "background=NO", "run_as_launching_user=YES", "seccomp_sandbox=NO", "anonymous_enable=YES",
                 "local_enable=NO", f"anon_root={root}", "allow_writeable_chroot=YES", "connect_from_port_20=NO", "xferlog_enable=YES", "xferlog_std_format=NO", "log_ftp_protocol=YES",
                 f"vsftpd_log_file={folder}/log"]
        if tls:
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", 1, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                "-keyout", folder / "key.pem", "-out", self.certificate)
            lines += ["ssl_enable=YES", "allow_anon_ssl=YES", "force_anon_logins_ssl=YES", "force_anon_data_ssl=YES", "require_ssl_reuse=NO", "ssl_ciphers=HIGH",
                      f"rsa_cert_file={self.certificate}", f"rsa_private_key_file={folder}/key.pem"]
        (folder / "vsftpd.conf").write_text("\n".join(lines) + "\n")
        self.launch(program("vsftpd"), folder / "vsftpd.conf")
        self.wait_for_port(self.port)


class Sshd(Server):
    """SFTP for tester, by password; its key is in `known_hosts`."""

    def __init__(self, folder, root):
        super().__init__(folder)
        self.port, self.known_hosts = free_port(), folder / "known_hosts"
        self.url = f"sftp://127.0.0.1:{self.port}{root}/"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder / "host")
        self.known_hosts.write_text(self.as_known((folder / "host.pub").read_text()))
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # for its unprivileged children; the system makes it at boot
        environment = self.users("sshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n")
        secret = run("openssl", "passwd", "-6", "-salt", "picket", PASSWORD).stdout.strip()
        (folder / "shadow").write_text(f"tester:{secret}:19000:0:99999:7:::\n")
        (folder / "sshd_config").write_text(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
                                            "PasswordAuthentication yes\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\nLogLevel VERBOSE\n")
        self.launch(program("sshd"), "-D", "-e", "-f", folder / "sshd_config", env={**environment, "NSS_WRAPPER_SHADOW": str(folder / "shadow")})
        self.wait_for_port(self.port)

    def as_known(self, key):
        """The line of a file known_hosts that says that this server has this key."""
        return f"[127.0.0.1]:{self.port} {key}"


class Smbd(Server):
    """The share `updates`, for tester only."""

    def __init__(self, folder, root):
        super().__init__(folder)
        self.port = free_port()
        self.url = f"smb://127.0.0.1:{self.port}/updates/"
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
            (folder / name).mkdir(mode=0o700)
        config = folder / "smb.conf"
        config.write_text(f"[global]\nworkgroup = PICKET\nserver role = standalone server\nsecurity = user\nsmb ports = {self.port}\ninterfaces = 127.0.0.1\nbind interfaces only = yes\n"
                          "disable netbios = yes\nload printers = no\nprinting = bsd\nprintcap name = /dev/null\ndisable spoolss = yes\n"
                          f"passdb backend = tdbsam:{folder}/private/passdb.tdb\nprivate dir = {folder}/private\nlock directory = {folder}/lock\nstate directory = {folder}/state\n"
                          f"cache directory = {folder}/cache\npid directory = {folder}/pid\nncalrpc dir = {folder}/ncalrpc\nbinddns dir = {folder}/private\nlog level = 1\n"
                          f"[updates]\npath = {root}\nread only = yes\nguest ok = no\nvalid users = tester\n")
        environment = self.users()
        added = subprocess.run([program("smbpasswd"), "-c", str(config), "-a", "-s", "tester"], input=f"{PASSWORD}\n{PASSWORD}\n", env=environment, capture_output=True, text=True, timeout=LIMIT)
        assert added.returncode == 0, added.stdout + added.stderr
        self.launch(program("smbd"), "-F", "--no-process-group", "--debug-stdout", "-s", config, env=environment)
        self.wait_for_port(self.port)


class Dnsmasq(Server):
    """Every name below `domain` has the address 127.0.0.1; all others are unknown."""

    def __init__(self, folder, domain):
        super().__init__(folder)
        self.port = free_port()
        while not self.is_free_by_udp():  # it answers there too
            self.port = free_port()
        self.resolver = f"127.0.0.1:{self.port}"
        self.launch(program("dnsmasq"), "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--log-queries", "--log-facility=-", "--bind-interfaces", "--listen-address=127.0.0.1",
                    f"--port={self.port}", "--pid-file=", f"--address=/{domain}/127.0.0.1", *(["--user=root"] if os.geteuid() == 0 else []))
        self.wait_for_port(self.port)

    def is_free_by_udp(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", self.port))
                return True
            except OSError:
                return False
