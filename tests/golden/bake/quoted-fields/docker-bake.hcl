target "default" {
  cache-from = ["type=local,\"src=caches/a,b\"", "ghcr.io/acme/cache:1"]
  cache-to   = [{ type = "local", dest = "caches/a,b", mode = "max" }]
  output     = ["type=local,\"dest=out/a,b\""]
  secret     = ["id=npm,\"src=keys/a,b\""]
}
