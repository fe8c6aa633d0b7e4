"""Tests of a service's files and models."""

import pytest

from k8s.workload import File, Model
from tests.support.deployment_files import Lines, Read, Web


@pytest.mark.parametrize(
    ("name", "path", "where"),
    [
        ("nginx.conf", "/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf"),
        ("nginx.conf", "/etc/nginx/default.conf", "/etc/nginx/default.conf"),
        ("conf/app.json", "/app/config", "/app/config/app.json"),
        ("conf/app.json", "/app/config/", "/app/config/app.json"),
        ("./conf/app.json", "/app//app.json", "/app/app.json"),
    ],
)
def test_config_puts_a_file_of_the_space_at_a_path(
    read: Read, web: Web, name: str, path: str, where: str
) -> None:
    """`path` is the file if it looks like one, else the folder."""
    files = {"nginx.conf": b"n", "conf/app.json": b"{}"}
    container = read(web(f"config: {{name: {name}, path: {path}}}"), files=files).components[0]
    (file,) = container.containers[0].files
    normal = name.removeprefix("./")
    assert file == File(name=normal, path=where, content=files[normal])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{name: a, path: /x}", "services.web.config.name: the Space has no file `a`"),
        ("[{name: ../a, path: /x}]", "services.web.config[0].name: must not contain `..`"),
        ("{name: /etc/passwd, path: /x}", "services.web.config.name: must be a path inside"),
        ("{name: b, path: x}", "services.web.config.path: must be an absolute path"),
        ("{name: b, path: /x/../y}", "services.web.config.path: must not contain `..`"),
        ("{name: b, path: /proc/x}", "services.web.config.path: `/proc/x` belongs to the system"),
        ("{name: b}", "services.web.config.path: is missing"),
        ("[{name: b, path: /x/}, {name: b, path: /x/b}]", "services.web.config[1].path: `/x/b` is"),
    ],
)
def test_config_never_leads_out_of_its_place(
    refusals: Lines, web: Web, config: str, expected: str
) -> None:
    """Neither out of the Space nor into a reserved path."""
    (refusal,) = refusals(web(f"config: {config}"), files={"b": b""})
    assert refusal.startswith(expected)


def test_config_files_are_bounded(refusals: Lines, web: Web) -> None:
    """Together they are at most what a ConfigMap holds."""
    text = web("config: [{name: b, path: /x/}, {name: b, path: /y/}]")
    (refusal,) = refusals(text, files={"b": bytes(600_000)})
    assert refusal.startswith("services: mount more than")


def test_models_are_fetched_to_their_folder(read: Read, web: Web) -> None:
    """A model is a URL, a folder and a name."""
    rest = "models: [{name: a.bin, url: https://x.example/a, dir: /models/}]"
    assert read(web(rest)).components[0].containers[0].models == (
        Model(name="a.bin", url="https://x.example/a", directory="/models"),
    )


def test_a_model_may_name_its_digest(read: Read, web: Web) -> None:
    """Upper and lower case are the same digest."""
    rest = f"models: [{{name: a, url: https://x.example/a, dir: /m, sha256: {'Ab' * 32}}}]"
    (model,) = read(web(rest)).components[0].containers[0].models
    assert model.sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("models", "refusal"),
    [
        ("{name: a, dir: /data}", "models[0].dir: `/data/a` lies in `/data`, which"),
        ("{name: a, dir: /data/deep}", "models[0].dir: `/data/deep/a` lies in `/data`, which"),
        ("{name: data, dir: /}", "models[0].dir: must be below /"),
        ("{name: m, dir: /etc}", "models[0].dir: `/etc/m` is taken by services.web.config[0].path"),
        ("{name: m, dir: /m}, {name: m, dir: /m/}", "models[1].dir: `/m/m` is taken by"),
        ("{name: m, dir: /m}, {name: x, dir: /m/m}", "models[1].dir: `/m/m/x` lies in `/m/m`"),
        ("{name: x, dir: /m/m}, {name: m, dir: /m}", "models[1].dir: `/m/m` is taken by"),
    ],
)
def test_models_that_overlap_another_mount_are_refused(
    refusals: Lines, models: str, refusal: str
) -> None:
    """Each file has a place of its own, outside of what else is mounted."""
    listed = models.replace("{", "{url: https://x.example, ")
    text = f"""
    services:
      web:
        image: nginx
        config: [{{name: m, path: /etc/}}]
        models: [{listed}]
        params: {{storage: {{s: {{mount: /data}}}}}}
    profiles: {{compute: {{c: {{resources: {{storage: [{{name: s, size: 1Gi}}]}}}}}}}}
    deployment: {{web: {{lagrange: {{profile: c, count: 1}}}}}}
    """
    (line,) = refusals(text, files={"m": b""})
    assert line.startswith(f"services.web.{refusal}")


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("{name: a, url: https://x.example, dir: /m, sha256: abc}", "sha256"),
        ("{name: 'a:b', url: https://x.example, dir: /m}", "name"),
        (f"{{name: {'é' * 128}, url: https://x.example, dir: /m}}", "name"),
        ("{name: a/b, url: https://x.example, dir: /m}", "name"),
        ("{name: .., url: https://x.example, dir: /m}", "name"),
        ("{name: a, url: file:///etc/passwd, dir: /m}", "url"),
        ("{name: a, url: 'https://[x', dir: /m}", "url"),
        ("{name: a, url: https://x.example, dir: m}", "dir"),
        ("{name: a, url: https://x.example}", "dir"),
    ],
)
def test_models_from_or_to_elsewhere_are_refused(
    refusals: Lines, web: Web, model: str, path: str
) -> None:
    """Only HTTP, only one file, only below an absolute folder."""
    (refusal,) = refusals(web(f"models: [{model}]"))
    assert refusal.startswith(f"services.web.models[0].{path}: ")
