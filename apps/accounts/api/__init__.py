from .authentication import TokenAuthentication

__all__ = ["TokenAuthentication"]
