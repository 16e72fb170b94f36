variable "NODE_VERSION" {
  default = 20
}
variable "GITHUB_SHA" {}
variable "IS_RELEASE" {
  default = false
}

function "tags" {
  params = [image]
  result = concat(
    ["${image}:${GITHUB_SHA != "" ? substr(GITHUB_SHA, 0, 7) : "local"}"],
    IS_RELEASE ? ["${image}:latest"] : [],
  )
}

target "deps" {
  target = "deps"
  args = { NODE_VERSION = NODE_VERSION }
}

target "lint" {
  inherits = ["deps"]
  target   = "lint"
  output   = ["type=cacheonly"]
}

target "image" {
  inherits  = ["deps"]
  target    = "production"
  tags      = tags("acme/web")
  platforms = IS_RELEASE ? ["linux/amd64", "linux/arm64"] : []
}

group "validate" {
  targets = ["lint"]
}

group "default" {
  targets = ["validate", "image"]
}
