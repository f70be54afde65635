"""People of every role in the world of the API's tests."""

from kobza.store import users
from kobza.store.users import Role
from tests.api.world import BORYS, PASSWORD_HASH, World

OPERATOR, ENTERED, SUPERVISOR, EMPLOYEE, TEMPORARY = "root", "maria", "svitlana", "borys", "newcomer"
"""Logins; ENTERED is an operator who is to enter an enterprise. Both enterprises have administrators: olena, petro."""


def add_people(world: World) -> None:
    """Add one person of each role; the employee has the number BORYS, the newcomer a temporary password."""
    own = world.own.enterprise_id
    with world.store.write() as conn:
        for login in (OPERATOR, ENTERED):
            users.add(conn, login, PASSWORD_HASH, Role.OPERATOR, None, 0)
        users.add(conn, SUPERVISOR, PASSWORD_HASH, Role.SUPERVISOR, own, 0, name="Світлана")
        users.add(conn, EMPLOYEE, PASSWORD_HASH, Role.EMPLOYEE, own, 0, number=BORYS)
        users.add(conn, TEMPORARY, PASSWORD_HASH, Role.ADMIN, own, 0, must_change=True)
