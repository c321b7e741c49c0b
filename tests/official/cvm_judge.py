"""A service that knows one thing: whether a request is signed as Tencent's own code would sign it. It says where it
listens, then answers each request: an empty listing if the signature is right, a refusal that names what it expected
if not."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from tencentcloud.common import credential
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.common.http.request import RequestInternal

SECRET_ID = os.environ["TENCENTCLOUD_SECRET_ID"]
SECRET_KEY = os.environ["TENCENTCLOUD_SECRET_KEY"]
TOKEN = os.environ.get("TENCENTCLOUD_TOKEN") or None


class Judge(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wrong = self.wrong(body)
        answer = {"TotalCount": 0, "ImageSet": [], "RequestId": "judge"}
        if wrong:
            answer = {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": wrong}, "RequestId": "judge"}
        text = json.dumps({"Response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def wrong(self, body):
        """What the provider's code would have sent otherwise; None if nothing."""
        timestamp = int(self.headers["X-TC-Timestamp"])
        date = time.strftime("%Y-%m-%d", time.gmtime(timestamp))
        client = AbstractClient(credential.Credential(SECRET_ID, SECRET_KEY, TOKEN), "ap-singapore")
        client._service = "cvm"
        request = RequestInternal(method="POST", uri="/", data=body)
        for name in ("Content-Type", "Host", "X-TC-Timestamp"):
            request.header[name] = self.headers[name]
        signature = client._get_tc3_signature({}, request, date, "cvm", SECRET_KEY)
        expected = {
            "Authorization": (
                f"TC3-HMAC-SHA256 Credential={SECRET_ID}/{date}/cvm/tc3_request, "
                f"SignedHeaders=content-type;host, Signature={signature}"
            ),
            "X-TC-Token": TOKEN,
            "X-TC-Region": "ap-singapore",
            "X-TC-Version": "2017-03-12",
        }
        for name, value in expected.items():
            if self.headers[name] != value:
                return f"{name} should have been {value} and was {self.headers[name]}"
        if abs(time.time() - timestamp) > 300:
            return "the timestamp is not of now"
        return None

    def log_message(self, *_):
        """Says nothing: its output is the address alone."""


server = HTTPServer(("127.0.0.1", 0), Judge)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
