target "base" {
  dockerfile = "base.Dockerfile"
}
target "app" {
  contexts = {
    base = "target:base"
    alpine = "docker-image://alpine:3.20"
    src = "../src"
    remote = "https://github.com/acme/x.git"
  }
}
