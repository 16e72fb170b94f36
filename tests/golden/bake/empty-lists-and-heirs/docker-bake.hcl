group "default" {
  targets = ["keeps", "adds", "clears"]
}

target "parent" {
  output     = ["type=cacheonly"]
  tags       = ["ghcr.io/acme/parent:1"]
  cache-from = ["type=registry,ref=ghcr.io/acme/cache"]
  platforms  = ["linux/amd64"]
}

target "keeps" {
  inherits = ["parent"]
  output   = []
  tags     = []
}

target "adds" {
  inherits   = ["parent"]
  cache-from = ["type=local,src=caches"]
  platforms  = ["linux/arm64"]
}

target "clears" {
  inherits   = ["parent"]
  cache-from = []
  platforms  = null
}
