variable "REG" {
  default = "ghcr.io/acme"
}
variable "IMAGE" {
  default = "${REG}/app"
}
target "default" {
  tags = ["${IMAGE}:1"]
}
