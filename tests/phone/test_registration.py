"""A softphone at a registrar that a test steers."""

import asyncio
import time
from typing import Any

import pytest

from kobza.phone import registration
from kobza.phone.events import What
from kobza.phone.phone import SoftPhone
from kobza.phone.registration import RegistrationFailed
from kobza.sip.flow import Transport
from tests.phone.peer import Registrar
from tests.support.waiting import PATIENCE, until

NUMBER, PASSWORD = "0671234567", "open sesame"


def phone(registrar: Registrar, password: str = PASSWORD, **options: Any) -> SoftPhone:
    return SoftPhone(NUMBER, registrar.address, password=password, transport=registrar.transport, **options)


def whats(phone: SoftPhone) -> list[What]:
    return [event.what for event in phone.events]


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_registers_and_leaves(transport: Transport) -> None:
    async with Registrar(NUMBER, PASSWORD, transport) as registrar:
        async with phone(registrar) as at_home:
            assert at_home.registration is not None
            assert at_home.registration.registered
            (first,) = registrar.registers
            assert first.request.to.uri.user == NUMBER
            (contact,) = first.request.contacts
            assert (contact.uri.host, contact.uri.port) == at_home.address
            assert contact.uri.param("transport") == (None if transport is Transport.UDP else "tcp")
        _, last = registrar.registers
        assert last.request.get("Expires") == "0"
        assert last.request.call_id == first.request.call_id
        assert last.request.cseq.number > first.request.cseq.number
        assert whats(at_home) == [What.REGISTERED, What.UNREGISTERED]
        assert at_home.events[0].details["expires"] == registrar.granted


async def test_a_wrong_password() -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar:
        with pytest.raises(RegistrationFailed) as failure:
            async with phone(registrar, "guessed"):
                raise AssertionError("it was let in")
        assert failure.value.status == 401
        assert registrar.challenged == 2
        assert registrar.registers == []


async def test_too_short_a_time_is_asked_again_longer() -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar:
        registrar.answers = [(423, [("Min-Expires", "120")])]
        async with phone(registrar, expires=30):
            assert [each.request.get("Expires") for each in registrar.registers] == ["30", "120"]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
async def test_a_refusal_at_the_start_is_told(status: int) -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar:
        registrar.answers = [(status, [])]
        with pytest.raises(RegistrationFailed, match=str(status)):
            await phone(registrar).__aenter__()


async def test_nobody_there_is_told_at_once() -> None:
    for transport in (Transport.UDP, Transport.TCP):
        nobody = SoftPhone(NUMBER, ("127.0.0.1", 9), password=PASSWORD, transport=transport)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(RegistrationFailed) as failure:
                await nobody.__aenter__()
        assert failure.value.status == 503


async def test_it_is_refreshed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "LEAST_REFRESH", 0.02)
    async with Registrar(NUMBER, PASSWORD) as registrar:
        registrar.granted = 1
        async with phone(registrar) as at_home:
            sent = await registrar.registered(4)
            assert {each.request.call_id for each in sent} == {sent[0].request.call_id}
            assert whats(at_home) == [What.REGISTERED]  # told once, not at each refresh


async def test_a_failed_refresh_is_tried_again_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "LEAST_REFRESH", 0.02)
    monkeypatch.setattr(registration, "RETRY", 0.02)
    async with Registrar(NUMBER, PASSWORD) as registrar:
        registrar.answers = [(200, []), (503, []), (500, [])]
        async with phone(registrar, expires=1) as at_home:
            await registrar.registered(4)
            await until(lambda: at_home.registration and at_home.registration.registered)
            failed, again, worked = What.REGISTRATION_FAILED, What.REGISTRATION_FAILED, What.REGISTERED
            assert whats(at_home)[:4] == [What.REGISTERED, failed, again, worked]


async def test_a_refusal_later_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "LEAST_REFRESH", 0.02)
    monkeypatch.setattr(registration, "RETRY", 0.02)
    async with Registrar(NUMBER, PASSWORD) as registrar:
        registrar.answers = [(200, []), (403, [])]
        async with phone(registrar, expires=1) as at_home:
            await registrar.registered(2)
            await asyncio.sleep(0.2)
            assert len(registrar.registers) == 2
            assert whats(at_home) == [What.REGISTERED, What.REGISTRATION_FAILED]


async def test_a_registrar_that_is_gone_does_not_hold_up_the_end() -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar:
        at_home = await phone(registrar).__aenter__()
        registrar.silent = True
        await at_home.close(within=0.2)
        assert What.UNREGISTERED not in whats(at_home)


async def test_calls_go_out_with_credentials() -> None:
    async with Registrar(NUMBER, PASSWORD) as registrar, phone(registrar) as at_home:
        call = at_home.dial("0991112233")
        await until(lambda: registrar.calls)
        (dialog,) = registrar.calls
        assert dialog.request is not None
        assert dialog.request.uri.user == "0991112233"
        dialog.reject(486, now=time.time())
        registrar.act()
        assert (await call.ended()).status == 486
