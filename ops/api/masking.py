"""Personal data as a reader without the right to it sees it: enough to recognise, too little to use."""


def masked_phone(phone: str | None) -> str | None:
    """All but the last two digits."""
    return None if not phone else "•" * max(len(phone) - 2, 0) + phone[-2:]


def masked_email(email: str | None) -> str | None:
    """The first letter and the top domain."""
    if not email or "@" not in email:
        return None if not email else "•••"
    name, _, domain = email.partition("@")
    return f"{name[:1]}•••@•••.{domain.rsplit('.', 1)[-1]}"


def masked_name(name: str | None) -> str | None:
    """Initials."""
    return None if not name else " ".join(f"{part[0]}." for part in name.split() if part)
