"""Clients of a server that is exchanged while they ask it."""
import http.client
import ssl
import threading

from picket_site import wait_for


class Clients:
    """Each does its request fifty times a second at most until it is told to stop; what failed they keep."""

    def __init__(self, **requests):
        self.failed, self.done = [], threading.Event()
        self.count = dict.fromkeys(requests, 0)
        self.threads = [threading.Thread(target=self.run, args=request) for request in requests.items()]
        for thread in self.threads:
            thread.start()

    def run(self, name, request):
        try:
            while not self.done.is_set():
                request()
                self.count[name] += 1
                self.done.wait(0.02)
        except Exception as error:  # noqa: BLE001: whatever it is, the test tells it
            self.failed.append(f"{name}: {error!r}")

    def more(self):
        """Each of them has begun and ended a request since."""
        then = dict(self.count)
        wait_for("more requests", lambda: self.failed or all(self.count[name] > then[name] + 1 for name in then))

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


def fresh(connect, ask):
    """On a new connection each time, of which nothing is forgiven."""
    def request():
        connection = connect()
        ask(connection)
        connection.close()
    return request


def kept(connect, ask):
    """On one that is kept: a server may close it between two requests, and every client asks once more then."""
    connection = connect()

    def request():
        try:
            ask(connection)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
            connection.close()
            ask(connection)
    return request


def answer_to(connection, method, path):
    connection.request(method, path, body=b"" if method == "POST" else None)
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    return answer
