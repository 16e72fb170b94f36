group "all" {
  targets = ["app"]
}
target "app" {
}
