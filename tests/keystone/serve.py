"""Sets up a Keystone in an empty folder, serves it on a free port of this machine, and fills it with an account as
Huawei Cloud has them: a domain, a user, a project called as its region. Says one line of JSON when it is ready, and
ends when its standard input does.

    serve.py FOLDER SECONDS    SECONDS is how long a token lives
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ADMIN = "admin-pw"
ACCOUNT = {"domain": "hwdomain", "user": "iamuser", "password": "Us3r-pw!", "region": "cn-north-4"}


def configure(folder, seconds):
    for keys in ("fernet", "credential"):
        (folder / keys).mkdir(mode=0o700)
    config = folder / "keystone.conf"
    config.write_text(f"""
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.db
[token]
provider = fernet
expiration = {seconds}
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[cache]
enabled = false
""")
    return config


def program(name):
    return os.path.join(os.path.dirname(sys.executable), name)


def manage(config, *arguments):
    command = [program("keystone-manage"), "--config-file", config, *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


def set_up(config):
    manage(config, "db_sync")
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    for keys in ("fernet_setup", "credential_setup"):
        manage(config, keys, *owner)
    manage(config, "bootstrap", "--bootstrap-password", ADMIN)


def serve(folder, config, port):
    here = pathlib.Path(__file__).resolve().parent
    environment = {**os.environ, "OS_KEYSTONE_CONFIG_FILES": str(config), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        program("gunicorn"), "--chdir", here, "--bind", f"127.0.0.1:{port}", "--workers", "2",
        "--no-control-socket", "--log-file", folder / "gunicorn.log", "wsgi:application",
    ]
    return subprocess.Popen(command, env=environment, stdout=sys.stderr)


def call(url, method, path, body=None, token=None):
    request = urllib.request.Request(url + path, method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("X-Auth-Token", token)
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=30) as answer:
        text = answer.read()
        return answer.headers, json.loads(text) if text else None


def wait_for(url, server):
    end = time.monotonic() + 60
    while True:
        try:
            return call(url, "GET", "/v3")
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.2)


def admin_token(url):
    domain = {"id": "default"}
    headers, _ = call(url, "POST", "/v3/auth/tokens", {"auth": {
        "identity": {"methods": ["password"], "password": {
            "user": {"name": "admin", "domain": domain, "password": ADMIN},
        }},
        "scope": {"project": {"name": "admin", "domain": domain}},
    }})
    return headers["X-Subject-Token"]


def fill(url):
    def make(kind, **fields):
        # A new token each time, because they may live for seconds only.
        _, made = call(url, "POST", f"/v3/{kind}s", {kind: fields}, admin_token(url))
        return made[kind]["id"]

    domain = make("domain", name=ACCOUNT["domain"])
    user = make("user", name=ACCOUNT["user"], password=ACCOUNT["password"], domain_id=domain)
    project = make("project", name=ACCOUNT["region"], domain_id=domain)
    _, roles = call(url, "GET", "/v3/roles?name=member", token=admin_token(url))
    role = roles["roles"][0]["id"]
    call(url, "PUT", f"/v3/projects/{project}/users/{user}/roles/{role}", token=admin_token(url))
    return {**ACCOUNT, "user_id": user, "project_id": project, "admin_password": ADMIN}


def main():
    folder, seconds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    config = configure(folder, seconds)
    set_up(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = serve(folder, config, port)
    try:
        wait_for(url, server)
        print(json.dumps({"url": url, **fill(url)}), flush=True)
        sys.stdin.read()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


main()
