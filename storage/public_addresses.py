"""Connections to where somebody asks for: to public addresses, and to those of networks that are allowed, alone."""

import errno
import socket
from collections.abc import Iterable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated, Any, Final

from aiohttp import TCPConnector
from pydantic import BeforeValidator
from pydantic_settings import NoDecode

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _split(networks: object) -> object:
    return (
        tuple(part.strip() for part in networks.split(",") if part.strip()) if isinstance(networks, str) else networks
    )


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split)]
"""Networks, in the environment separated by commas."""

# What Python 3.11 takes for public, and is not: protocol assignments (RFC 6890), where Oracle has its metadata; and
# Azure's, an address like any other by its number.
_NOT_PUBLIC: Final = (IPv4Network("192.0.0.0/24"), IPv4Network("168.63.129.16/32"), IPv6Network("64:ff9b:1::/48"))
# IPv4 addresses in IPv6 ones: RFC 6052, section 2.1, and RFC 4291, section 2.5.5.1.
_IPV4_INSIDE: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))


class NotPublic(OSError):
    """The address that a name led to may not be connected to."""

    def __init__(self) -> None:
        # Always the same text: it names no address of the network inside, and several of them are told as one.
        super().__init__(errno.EACCES, "the address is not public")


def guarded_connector(allowed: Sequence[Network] = ()) -> TCPConnector:
    """Return a connector that connects to no address that is not public, unless one of ``allowed`` has it.

    It looks at the very address that is about to be connected to: a name that leads elsewhere the next time it is
    looked up gains nothing. Use it without a proxy, which would connect in its place.
    """
    return TCPConnector(socket_factory=partial(_guarded_socket, allowed=tuple(allowed)))


def may_be_reached(address: str, *, allowed: Iterable[Network] = ()) -> bool:
    """Return whether an address is public or of an allowed network; one that cannot be read is neither."""
    try:
        meant = _meant(ip_address(address))
    except ValueError:
        return False
    return _is_public(meant) or any(meant in network for network in allowed if network.version == meant.version)


def _guarded_socket(info: tuple[Any, ...], *, allowed: tuple[Network, ...]) -> socket.socket:
    family, kind, protocol, _, place = info
    if not may_be_reached(str(place[0]), allowed=allowed):
        raise NotPublic
    return socket.socket(family=family, type=kind, proto=protocol)


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, else the address itself, without its zone."""
    if isinstance(address, IPv4Address):
        return address
    plain = IPv6Address(int(address))
    inside = plain.ipv4_mapped or plain.sixtofour or (plain.teredo[1] if plain.teredo else None)
    if inside is None and int(plain) > 1 and any(plain in network for network in _IPV4_INSIDE):
        inside = IPv4Address(int(plain) & 0xFFFFFFFF)
    return inside or plain


def _is_public(address: Address) -> bool:
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    is_local = isinstance(address, IPv6Address) and address.is_site_local
    return not is_local and not any(address in network for network in _NOT_PUBLIC)
