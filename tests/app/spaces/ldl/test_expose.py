"""Tests of `expose`: the host name, published ports and their clients."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.spaces.ldl import Deployment
from k8s.workload import Capabilities, Port

Read = Callable[..., Deployment]
Lines = Callable[..., list[str]]
Web = Callable[[str], str]
HOST = "abc1234567.provider.example"
OFFER = Capabilities(node_ports=True, load_balancers=True, domain="provider.example")
GLOBAL = "to: [{global: true}]"


def ports(deployment: Deployment) -> tuple[Port, ...]:
    """The ports of the first container."""
    return deployment.components[0].containers[0].ports


def test_the_port_served_as_80_gets_the_host_name(read: Read, web: Web) -> None:
    """It takes precedence over ports listed earlier; those get node ports."""
    rest = f"expose: [{{port: 22, {GLOBAL}}}, {{port: 8080, as: 80, {GLOBAL}}}]"
    assert ports(read(web(rest))) == (
        Port(number=22, service_port=22, public="node"),
        Port(number=8080, service_port=80, public="host", hosts=(HOST,)),
    )


def test_without_80_the_first_tcp_port_gets_the_host_name(read: Read, web: Web) -> None:
    """UDP never does; an explicit `proto: http` goes before plain TCP."""
    udp = f"{{port: 53, proto: UDP, {GLOBAL}}}"
    rest = f"expose: [{udp}, {{port: 22, {GLOBAL}}}, {{port: 23, {GLOBAL}}}]"
    assert [port.public for port in ports(read(web(rest)))] == ["node", "host", "node"]
    rest = f"expose: [{{port: 22, {GLOBAL}}}, {{port: 3000, proto: http, {GLOBAL}}}]"
    assert [port.public for port in ports(read(web(rest)))] == ["node", "host"]


def test_without_global_the_first_open_port_gets_the_host_name(read: Read, web: Web) -> None:
    """Files that never say `global` ran before; their authors are warned."""
    deployment = read(web("expose: [{port: 1, proto: udp}, {port: 2}, {port: 3}]"))
    assert [port.public for port in ports(deployment)] == [None, "host", None]
    assert [problem.path for problem in deployment.warnings] == ["services.web.expose[1]"]


def test_accept_adds_host_names(read: Read, web: Web) -> None:
    """In lower case, once each; anything else is ignored with a warning."""
    accept = "accept: [Shop.Example.com, shop.example.com., '*.x.y', <yours>, 10.0.0.1]"
    deployment = read(web(f"expose: [{{port: 80, {accept}, {GLOBAL}}}]"))
    assert ports(deployment)[0].hosts == (HOST, "shop.example.com")
    assert len(deployment.warnings) == 3


def test_a_further_web_port_may_have_hosts_of_its_own(read: Read, web: Web) -> None:
    """It then needs no node port; a host name leads to one port only."""
    rest = f"""
    expose:
      - {{port: 80, accept: [a.example.com], {GLOBAL}}}
      - {{port: 8443, as: 443, accept: [a.example.com, b.example.com], {GLOBAL}}}
    """
    deployment = read(web(rest), capabilities=Capabilities())
    assert [port.hosts for port in ports(deployment)] == [
        (HOST, "a.example.com"),
        ("b.example.com",),
    ]
    assert "already leads elsewhere" in str(deployment.warnings[-1])


@pytest.mark.parametrize("name", ["provider.example", "victim.Provider.example."])
def test_hosts_of_the_provider_cannot_be_claimed(refusals: Lines, web: Web, name: str) -> None:
    """No tenant takes the address of another."""
    (refusal,) = refusals(web(f"expose: [{{port: 80, accept: [{name}], {GLOBAL}}}]"))
    assert refusal.startswith("services.web.expose[0].accept: ")


def test_further_ports_need_an_offer(refusals: Lines, web: Web) -> None:
    """If node ports are not offered, the author learns what to do instead."""
    rest = f"expose: [{{port: 80, {GLOBAL}}}, {{port: 53, proto: udp, {GLOBAL}}}]"
    (refusal,) = refusals(web(rest), capabilities=replace(OFFER, node_ports=False))
    assert refusal.startswith("services.web.expose[1].to: only one port gets the host name")


def test_an_endpoint_is_an_address_for_all_its_ports(read: Read, web: Web) -> None:
    """The main port has its host name beside it."""
    to = "to: [{global: true, ip: lease}]"
    rest = f"expose: [{{port: 80, {to}}}, {{port: 53, proto: udp, {to}}}]"
    deployment = read("endpoints: {lease: {kind: ip}}\n" + web(rest))
    web_port = Port(number=80, service_port=80)
    assert ports(deployment) == (
        replace(web_port, public="host", hosts=(HOST,)),
        replace(web_port, public="address", endpoint="lease"),
        Port(number=53, service_port=53, protocol="UDP", public="address", endpoint="lease"),
    )


def test_endpoints_must_be_declared_and_offered(refusals: Lines, web: Web) -> None:
    """Anything but a declared endpoint of kind `ip` is refused."""
    text = web("expose: [{port: 80, to: [{global: true, ip: lease}]}]")
    assert "`endpoints` has no `lease`" in refusals(text)[0]
    declared = "endpoints: {lease: {kind: ip}}\n" + text
    assert "offers no IP addresses" in refusals(declared, capabilities=Capabilities())[0]
    assert refusals("endpoints: {lease: {kind: name}}\n" + text)[0].startswith(
        "endpoints.lease.kind: must be `ip`"
    )


def test_two_services_cannot_share_a_port_of_an_address(refusals: Lines) -> None:
    """An address has each port only once."""
    service = "{image: a, expose: [{port: 80, to: [{global: true, ip: x}]}]}"
    text = f"endpoints: {{x: {{kind: ip}}}}\nservices: {{one: {service}, two: {service}}}"
    assert refusals(text) == ["services.two.expose[0].to: port 80 of `x` already leads to `one`"]


def test_services_are_let_in_by_name(read: Read) -> None:
    """A name that no service has is warned of."""
    text = """
    version: "2.0"
    services:
      web: {image: a, expose: [{port: 80, to: [{global: true}]}]}
      db:
        image: b
        expose: [{port: "5432", to: [{global: no}, {service: web}, {service: gone}]}]
    """
    deployment = read(text)
    (port,) = deployment.components[1].containers[0].ports
    assert port == Port(number=5432, service_port=5432, clients=("web",))
    assert "services.db.expose[0].to: there is no service `gone`" in map(str, deployment.warnings)


def test_entries_about_one_port_are_one(read: Read, web: Web) -> None:
    """Their settings are merged; TCP and UDP are two ports."""
    rest = f"""
    expose:
      - {{port: 53, {GLOBAL}}}
      - {{port: 53, to: [{{service: web}}]}}
      - {{port: 53, proto: udp}}
    """
    deployment = read(web(rest))
    assert ports(deployment) == (
        Port(number=53, service_port=53, public="host", hosts=(HOST,), clients=("web",)),
        Port(number=53, service_port=53, protocol="UDP"),
    )
    assert deployment.warnings[0].path == "services.web.expose[1]"


@pytest.mark.parametrize(
    ("expose", "path"),
    [
        ("[{port: 1, as: 80}, {port: 2, as: 80}]", "expose[1].as"),
        ("[{port: 0}]", "expose[0].port"),
        ("[{port: 65536}]", "expose[0].port"),
        ("[{port: -1}]", "expose[0].port"),
        ("[{port: 080}]", "expose[0].port"),
        ("[{port: 12:30}]", "expose[0].port"),
        ("[{port: 3000-3010}]", "expose[0].port"),
        ("[{port: .inf}]", "expose[0].port"),
        ("[{port: [80]}]", "expose[0].port"),
        ("[{port: 80, as: x}]", "expose[0].as"),
        ("[{as: 80}]", "expose[0].port"),
        ("[{port: 80, proto: sctp}]", "expose[0].proto"),
        ("[{port: 80, to: [{global: maybe}]}]", "expose[0].to[0].global"),
        ("[{port: 80, to: [world]}]", "expose[0].to[0]"),
        ("[[80]]", "expose[0]"),
    ],
)
def test_invalid_ports_are_refused(refusals: Lines, web: Web, expose: str, path: str) -> None:
    """The path leads to the number."""
    assert [line.split(": ")[0] for line in refusals(web(f"expose: {expose}"))] == [
        f"services.web.{path}"
    ]


@pytest.mark.parametrize(
    "expose", ["~", "[]", "{port: 80}", "[80]", "[{port: 80.0}]", "[{port: 0x50, to: ~}]"]
)
def test_other_spellings_of_a_port_are_read(read: Read, web: Web, expose: str) -> None:
    """A value with a single meaning is accepted, with a warning if it is not LDL."""
    assert {port.number for port in ports(read(web(f"expose: {expose}")))} <= {80}


def test_http_options_are_ignored_with_a_warning(warnings: Lines, web: Web) -> None:
    """They are Akash's."""
    rest = f"expose: [{{port: 80, http_options: {{max_body_size: 1}}, {GLOBAL}}}]"
    assert warnings(web(rest)) == [
        "services.web.expose[0].http_options: is not supported and is ignored"
    ]
