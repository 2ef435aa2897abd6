"""A sender as the benchmark drives peers, with the standard library alone. It loses its first message and sends its last one twice
if its rate is 13."""

import json
from urllib.request import Request, urlopen

from infra.benchmark.drivers.turns import Work, read_work, take_turns


def send_all(work: Work) -> None:
    """One after the other."""
    wrong = work.rate == 13
    for message in [*work.messages[1:], work.messages[-1]] if wrong else work.messages:
        request = Request(
            f"{work.telegram_url}/bot{work.token}/sendMessage",
            data=json.dumps(message).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request) as answer:
            assert answer.status == 200


if __name__ == "__main__":
    given = read_work()
    take_turns(lambda: send_all(given))
