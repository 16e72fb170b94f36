target "app" {
  cache-from = ["type=gha"]
}
