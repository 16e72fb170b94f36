target "a" {
  args = { A = "a", X = "a" }
  platforms = ["linux/amd64"]
}
target "b" {
  args = { B = "b", X = "b" }
  cache-from = ["type=gha"]
}
target "default" {
  inherits = ["a", "b"]
  cache-from = ["type=registry,ref=r.io/c"]
}
