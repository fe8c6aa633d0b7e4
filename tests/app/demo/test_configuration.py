"""The provider's folder and environment."""

from pathlib import Path

import redis

from app import config
from app.demo import configuration
from app.demo.fake_lagrange import Lagrange
from app.demo.redis_choice import database
from k8s.manifests.templates import Templates


def test_the_operators_other_provider_does_not_count(tmp_path: Path) -> None:
    """Of the operator's own settings only those of what is shared reach the processes."""
    outer = {
        "PATH": "/bin",
        "CP_PATH": "/elsewhere",
        "CP_LAG_SERVERURL": "https://lagrange",
        "CP_API_REDISURL": "redis://there",
        "CP_CLUSTER_INGRESSCLASS": "kong",
        "CP_CLUSTER_KUBECONFIG": "/elsewhere",
    }
    kept = {"PATH": "/bin", "CP_API_REDISURL": "redis://there", "CP_PATH": str(tmp_path)}
    assert configuration.environment(tmp_path, outer, simulated=True) == kept
    kept["CP_CLUSTER_INGRESSCLASS"] = "kong"
    assert configuration.environment(tmp_path, outer, simulated=False) == kept


def test_the_configuration_is_a_providers(tmp_path: Path) -> None:
    """The file is read back as it was meant, and is its owner's alone."""
    with (
        Lagrange() as lagrange,
        database(tmp_path / "redis", {}) as chosen,
    ):
        configuration.write(
            tmp_path,
            lagrange=lagrange,
            redis=chosen,
            kubeconfig=tmp_path / 'a "quoted" name',
            ingress_class="kong",
        )
        configuration.write_templates(tmp_path)
        found = config.load(tmp_path, {})
        assert found.lag.server_url == lagrange.url
        assert found.api.redis_url == chosen.url
        assert redis.Redis.from_url(chosen.url).ping()
    assert found.cluster.kubeconfig == str(tmp_path / 'a "quoted" name')
    assert found.cluster.ingress_class == "kong"
    assert (tmp_path / "config.toml").stat().st_mode & 0o077 == 0
    assert Templates(tmp_path / "templates")
