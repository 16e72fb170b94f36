target "docker-metadata-action" {}
target "app" {
  inherits = ["docker-metadata-action"]
  context = "./"
  dockerfile = "Dockerfile"
}
group "default" {
  targets = ["app"]
}
