target "a" {
  attest = ["type=provenance,mode=min", "type=sbom"]
  cache-from = ["type=gha", "r.io/x"]
}
target "default" {
  inherits = ["a"]
  attest = ["type=provenance,mode=max"]
  cache-from = ["r.io/x", "r.io/y"]
}
