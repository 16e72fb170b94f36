target "default" {
  dockerfile-inline = <<EOT
FROM alpine
RUN echo "$${HOME} %%{x}" \\
  && true
EOT
}
