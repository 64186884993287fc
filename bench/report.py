"""The rows of the table: printed as they come, and as Markdown at the end."""
import math


class Report:
    def __init__(self):
        self.rows = []

    def row(self, subject, measure, value, unit="", note=""):
        shown = value if isinstance(value, str) else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        self.rows.append((subject, measure, f"{shown} {unit}".strip(), note))
        print(f"{subject:<18}{measure:<58}{shown + ' ' + unit:>14}  {note}", flush=True)

    def attempt(self, subject, measure, f):
        """Runs f. A peer that cannot do a thing has the reason in its place."""
        try:
            f()
        except Exception as e:
            self.row(subject, measure, "none", note=f"{type(e).__name__}: {str(e)[:140]}")
            if subject == "cirro":
                raise

    def markdown(self):
        return "\n".join(["| subject | measure | figure | |", "| --- | --- | ---: | --- |",
                          *("| " + " | ".join(row) + " |" for row in self.rows)])


def quantile(values, q):
    """The smallest value that at least a share q of all is not greater than."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]
