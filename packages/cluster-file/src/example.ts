/** A cluster file to start from, with comments; it is valid as it is. */
export const EXAMPLE: string = `# One file for every process of the cluster. Check it: meridian config check <file>
#
# Start a process: meridian-directory --cluster-file <file> --id primary --data <folder>
#                  meridian-region --cluster-file <file> --id frankfurt --data <folder>
#
# Flags and environment variables go before what is written here. JSON may be written, too.
version: 1
cluster: example

# In order of priority. Nodes and clients use the first that answers.
directories:
  # A place shows the directory on maps.
  - id: primary
    lat: 38.7223
    lon: -9.1393
    url: https://directory-1.example.com:7400
    host: 0.0.0.0
    tlsCert: /etc/meridian/tls/cert.pem
    tlsKey: /etc/meridian/tls/key.pem
    tokenKeys: /etc/meridian/token-keys.json
    tokenFile: /etc/meridian/node.token
    # Whom to trust when dialling the other directory, and of whom to take links.
    tlsCa: /etc/meridian/tls/ca.pem
    tlsClientCa: /etc/meridian/tls/ca.pem
  - id: secondary
    lat: 22.3193
    lon: 114.1694
    url: https://directory-2.example.com:7400
    host: 0.0.0.0
    tlsCert: /etc/meridian/tls/cert.pem
    tlsKey: /etc/meridian/tls/key.pem
    tokenKeys: /etc/meridian/token-keys.json
    tokenFile: /etc/meridian/node.token
    tlsCa: /etc/meridian/tls/ca.pem
    tlsClientCa: /etc/meridian/tls/ca.pem

regions:
  # The port is that of the URL unless it is given. Without a URL, clients are told the address that the directory sees.
  - id: frankfurt
    region: eu-central
    lat: 50.1109
    lon: 8.6821
    url: https://frankfurt.example.com:7401
    host: 0.0.0.0
    tlsCert: /etc/meridian/tls/cert.pem
    tlsKey: /etc/meridian/tls/key.pem
    tokenKeys: /etc/meridian/token-keys.json
    tokenFile: /etc/meridian/node.token
    tlsCa: /etc/meridian/tls/ca.pem
    allowOrigin: [https://app.example.com]
  - id: sydney
    region: ap-southeast
    lat: -33.8688
    lon: 151.2093
    port: 7401
    # Listens on the address of its own machine only; a proxy there ends TLS for its clients.
    host: 127.0.0.1
    url: https://sydney.example.com
    tlsCert: /etc/meridian/tls/cert.pem
    tlsKey: /etc/meridian/tls/key.pem
    tokenKeys: /etc/meridian/token-keys.json
    tokenFile: /etc/meridian/node.token
    tlsCa: /etc/meridian/tls/ca.pem
    insecureNoTls: true
    data: /var/lib/meridian/sydney
    limits:
      cacheBytes: 67108864

# For all processes that have them; a process may have limits of its own.
limits:
  durability: process
  lagMax: 10s
  cacheEntries: 100000
  cacheBytes: 268435456
  valueBytesMax: 1048576
  connectionsMax: 16384

log:
  level: info
  format: json
`;
