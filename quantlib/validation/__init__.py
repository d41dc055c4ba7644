"""Validation: splits that do not leak, the leak certificate, and the verdict on a strategy."""

from quantlib.validation.leaks import LeakCertificate, certify
from quantlib.validation.verdict import Check, Verdict, validate

__all__ = ["Check", "LeakCertificate", "Verdict", "certify", "validate"]
