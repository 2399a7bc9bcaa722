"""TLS to the centre for a machine that may wake in 1970: names and signatures are checked by TLS, the certificate's dates by ourselves.

OpenSSL judges dates by the machine's civil clock, which is the one thing that the centre is asked to put right. Python can only switch that check off, for
the whole chain. So the centre's own certificate is judged here, by what has certainly passed: the later of the lot's lower bound and
the day this software was made. One that has not begun yet is refused only by a clock that is known.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from edge.errors import CertificateOutOfDate
from parking.clock import TrustedClock

X509_V_FLAG_NO_CHECK_TIME = 0x200000
# Moved forward with each release; a certificate that had ended by then is refused by a machine that knows nothing else.
BUILT_AT = datetime(2026, 11, 24, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(hours=1)


def centre_context() -> ssl.SSLContext:
    """The system's trust (SSL_CERT_FILE names another), without dates."""
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VerifyFlags(X509_V_FLAG_NO_CHECK_TIME)
    return context


def context_for(url: str) -> ssl.SSLContext | None:
    """How to speak to the centre at `url`: with TLS where it begins with wss."""
    return centre_context() if url.startswith("wss:") else None


def judge_dates(certificate: Mapping[str, object] | None, clock: TrustedClock | None) -> None:
    """Accept the centre's certificate, as `getpeercert` tells it. `clock` None: at enrolment there is none yet.

    Raises:
        CertificateOutOfDate: it had certainly ended, or has not begun.
    """
    starts_at, ends_at = _instant(certificate, "notBefore"), _instant(certificate, "notAfter")
    passed_at = BUILT_AT if clock is None else max(BUILT_AT, clock.lower_bound())
    if ends_at < passed_at:
        raise CertificateOutOfDate(f"the centre's certificate ended on {ends_at:%Y-%m-%d}; renew it there")
    if clock is not None and clock.known and starts_at > clock.now() + CLOCKS_DIFFER:
        raise CertificateOutOfDate(f"the centre's certificate begins only on {starts_at:%Y-%m-%d}")


def _instant(certificate: Mapping[str, object] | None, field: str) -> datetime:
    text = None if certificate is None else certificate.get(field)
    if not isinstance(text, str):
        raise CertificateOutOfDate(f"the centre's certificate has no {field}")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
