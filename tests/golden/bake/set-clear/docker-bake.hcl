target "app" {
  tags = ["a"]
  cache-from = ["type=gha"]
}
