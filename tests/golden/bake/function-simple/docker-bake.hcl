function "tag" {
  params = [name, version]
  result = ["ghcr.io/acme/${name}:${version}", "ghcr.io/acme/${name}:latest"]
}
target "default" {
  tags = tag("app", "1.0")
}
