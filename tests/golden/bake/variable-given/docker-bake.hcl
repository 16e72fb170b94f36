variable "TAG" {
  default = "latest"
}
group "default" {
  targets = ["app"]
}
target "app" {
  tags = ["ghcr.io/acme/app:${TAG}"]
}
