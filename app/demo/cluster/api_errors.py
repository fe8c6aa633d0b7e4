"""The API server's refusals: `Status` objects."""

from http import HTTPStatus

from app.demo.cluster.resources import Json, Resource


class ApiError(Exception):
    """A request that is refused, as the `Status` object that says so."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "ApiError",
            "message": message,
            "reason": reason,
            **({"details": details} if details is not None else {}),
            "code": code,
        }


def _details(resource: Resource, name: str, kind: str) -> Json:
    group = {"group": resource.group} if resource.group else {}
    return {"name": name, **group, "kind": kind}


def unknown() -> ApiError:
    """No such path or kind."""
    message = "the server could not find the requested resource"
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, {})


def not_found(resource: Resource, name: str) -> ApiError:
    """No such object."""
    details = _details(resource, name, resource.plural)
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, details)


def bad_request(message: str) -> ApiError:
    """The request makes no sense."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def invalid(resource: Resource, name: str, field: str, message: str) -> ApiError:
    """A field has a value that it cannot have."""
    cause = {"reason": "FieldValueInvalid", "message": message, "field": field}
    details = {**_details(resource, name, resource.kind), "causes": [cause]}
    sentence = f'{resource.qualified_kind} "{name}" is invalid: {field}: {message}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", sentence, details)


def conflict(resource: Resource, name: str, message: str) -> ApiError:
    """The object differs from the one that the request expects."""
    sentence = f'Operation cannot be fulfilled on {resource.qualified_kind} "{name}": {message}'
    details = _details(resource, name, resource.kind)
    return ApiError(HTTPStatus.CONFLICT, "Conflict", sentence, details)


def ending(resource: Resource, name: str, namespace: str) -> ApiError:
    """The namespace takes nothing new in."""
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    return ApiError(
        HTTPStatus.FORBIDDEN,
        "Forbidden",
        f'{resource.qualified} "{name}" is forbidden: unable to create new content in namespace '
        f"{namespace} because it is being terminated",
        {**_details(resource, name, resource.plural), "causes": [cause]},
    )


def expired(message: str) -> ApiError:
    """The version asked for is no longer known."""
    return ApiError(HTTPStatus.GONE, "Expired", message)


def success(resource: Resource, name: str, uid: str) -> Json:
    """The object is gone."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**_details(resource, name, resource.plural), "uid": uid},
    }
