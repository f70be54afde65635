"""What the relay is told of a side, for tests: whether a value belongs to the profile or to the phone is seen here."""

from kobza.media.media_profile import MediaProfile
from kobza.media.messages import SideFlow


def flow_with(**fields: object) -> SideFlow:
    """Return a flow with these values, all others as they are before anything is said."""
    of_profile = {name: fields.pop(name) for name in MediaProfile.__struct_fields__ if name in fields}
    return SideFlow(MediaProfile(**of_profile), **fields)  # type: ignore[arg-type]
