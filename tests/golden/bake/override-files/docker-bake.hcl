variable "TAG" {
  default = "latest"
}
target "app" {
  tags = ["ghcr.io/acme/app:${TAG}"]
}
group "default" {
  targets = ["app"]
}
