/* Two RUN steps that run at the same time: one sends a descriptor of a file or folder to the other, over a socket without a name in any file system.
 *
 *   descriptor_passing send PATH         waits for a receiver, for 20 s
 *   descriptor_passing receive SECONDS   takes it, waits, and then writes: "evil" to the file, or a file "new" into the folder; says what came of it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address(void) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strcpy(at.sun_path + 1, "kiln-descriptor-passing");
  return at;
}

static int send_descriptor(const char* path) {
  struct stat status;
  struct sockaddr_un at = address();
  char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (stat(path, &status) != 0) return 1;
  int sent = open(path, S_ISDIR(status.st_mode) ? O_RDONLY | O_DIRECTORY : O_RDWR);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof sent);
  memcpy(CMSG_DATA(head), &sent, sizeof sent);
  for (int i = 0; i < 200; ++i) {
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr*)&at, sizeof at) == 0) {
      int result = sendmsg(connection, &message, 0) == 1 && read(connection, &byte, 1) == 1 ? 0 : 1;
      puts(result == 0 ? "sent" : "not sent");
      return result;
    }
    close(connection);
    usleep(100000);
  }
  puts("nobody there");
  return 1;
}

static int receive_descriptor(int seconds) {
  struct stat status;
  struct sockaddr_un at = address();
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), received = -1;
  char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (bind(listener, (struct sockaddr*)&at, sizeof at) != 0 || listen(listener, 1) != 0) return 1;
  int connection = accept(listener, NULL, NULL);
  if (recvmsg(connection, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) return 1;
  memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  if (write(connection, &byte, 1) != 1 || fstat(received, &status) != 0) return 1;
  sleep((unsigned)seconds);
  long done = S_ISDIR(status.st_mode) ? openat(received, "new", O_CREAT | O_WRONLY, 0644) : pwrite(received, "evil", 4, 0);
  printf("afterwards: %s\n", done < 0 ? strerror(errno) : "written");
  return 0;
}

int main(int count, char** words) {
  if (count == 3 && strcmp(words[1], "send") == 0) return send_descriptor(words[2]);
  if (count == 3 && strcmp(words[1], "receive") == 0) return receive_descriptor(atoi(words[2]));
  return 2;
}
