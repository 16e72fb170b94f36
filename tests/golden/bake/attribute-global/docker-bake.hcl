REG = "r.io"
NAME = "${REG}/x"
target "default" {
  tags = [NAME]
}
