target "default" {
  annotations = ["index:a=b", "c=d"]
  attest = ["type=provenance,mode=max", "type=sbom"]
  cache-from = ["type=registry,ref=r.io/c", "type=gha,scope=x", "r.io/d"]
  cache-to = ["type=gha,mode=max"]
  call = "check"
  entitlements = ["network.host", "security.insecure"]
  extra-hosts = { h = "1.2.3.4" }
  labels = { a = "b", n = null, t = true }
  network = "host"
  no-cache = true
  no-cache-filter = ["a", "a", "b"]
  output = ["type=image,name=x,push=true", "type=local,dest=out"]
  platforms = ["linux/amd64", "linux/arm64/v8"]
  pull = true
  secret = ["id=a,env=B", { id = "c", env = "D" }]
  shm-size = "64m"
  target = "final"
  ulimits = ["nofile=1024:2048"]
}
