variable "REGISTRY" {
  default = "ghcr.io/acme"
}

variable "VERSION" {
  default = "0.0.0-dev"
}

variable "PYTHON_VERSIONS" {
  default = ["3.10", "3.11", "3.12"]
}

function "slug" {
  params = [text]
  result = regex_replace(lower(text), "[^a-z0-9]+", "-")
}

group "default" {
  targets = ["worker", "api"]
}

target "_base" {
  context = "."
  labels = {
    "org.opencontainers.image.source"  = "https://github.com/acme/app"
    "org.opencontainers.image.version" = VERSION
  }
  cache-from = ["type=gha"]
  cache-to   = ["type=gha,mode=max"]
}

target "api" {
  inherits   = ["_base"]
  dockerfile = "docker/api.Dockerfile"
  tags = [
    "${REGISTRY}/api:${VERSION}",
    notequal("0.0.0-dev", VERSION) ? "${REGISTRY}/api:latest" : "",
  ]
}

target "worker" {
  inherits = ["_base"]
  name     = "worker-${slug(py)}"
  matrix = {
    py = PYTHON_VERSIONS
  }
  args = {
    PYTHON_VERSION = py
  }
  tags = ["${REGISTRY}/worker:${VERSION}-py${replace(py, ".", "")}"]
}
