// Where nginx and its nchan module are, and the configuration that they are run with.

import { existsSync } from 'node:fs'

const BINARIES = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/nginx/sbin/nginx']
const MODULES = [
  '/usr/lib/nginx/modules/ngx_nchan_module.so',
  '/usr/lib64/nginx/modules/ngx_nchan_module.so',
  '/usr/local/nginx/modules/ngx_nchan_module.so',
]

export interface Nginx {
  binary: string
  module: string
}

export function findNginx(): Nginx | undefined {
  const binary = BINARIES.find((path) => existsSync(path))
  const module = MODULES.find((path) => existsSync(path))
  return binary !== undefined && module !== undefined ? { binary, module } : undefined
}

/**
 * One worker, so that one core is measured. The buffer of a channel holds what Sluice's log holds by default: 1,000
 * messages for five minutes. `directory` is nginx's prefix: its pid, logs and temporary files.
 */
export function nchanConfig({ module }: Nginx, port: number, directory: string): string {
  return `
load_module ${module};
daemon off;
master_process on;
worker_processes 1;
worker_rlimit_nofile 20000;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
events { worker_connections 19900; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  client_body_in_single_buffer on;
  nchan_shared_memory_size 256m;
  nchan_message_buffer_length 1000;
  nchan_message_timeout 5m;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = / {
      nchan_subscriber eventsource;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
    }
    location = /publish {
      nchan_publisher;
      nchan_channel_id bench;
    }
  }
}
`
}
