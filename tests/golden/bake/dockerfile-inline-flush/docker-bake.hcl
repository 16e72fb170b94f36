target "default" {
  dockerfile-inline = <<-EOT
    FROM alpine
      RUN a

    RUN b
  EOT
}
