#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0

// Prints a line for each container of RDD that comes, changes or goes. It goes on
// while the daemon is away, and says what it missed. It needs no packages: the
// Kubernetes API is JSON over HTTPS. Its argument is a kubeconfig as JSON.

import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const containers = '/apis/containers.rancherdesktop.io/v1alpha1/containers';

// Reads where the API server is, and how to speak to it.
function load(file) {
  const config = JSON.parse(readFileSync(file, 'utf8'));
  const { context } = config.contexts.find(({ name }) => name === config['current-context']);
  const { cluster } = config.clusters.find(({ name }) => name === context.cluster);
  const { user } = config.users.find(({ name }) => name === context.user);
  return {
    server: cluster.server,
    options: {
      // The default agent takes HTTPS_PROXY with NODE_USE_ENV_PROXY=1, for this
      // machine too; one of its own does not.
      agent: new Agent(),
      ca: Buffer.from(cluster['certificate-authority-data'], 'base64'),
      headers: { Authorization: `Bearer ${user.token}` },
    },
  };
}

// What is mended by beginning again has a code, as the errors of the network do.
const lost = (message, code) => Object.assign(new Error(message), { code });

// Resolves to the response, whose text can be read with for await.
function request({ server, options }, path) {
  return new Promise((resolve, reject) => {
    get(server + path, options, (response) => {
      response.setEncoding('utf8');
      if (response.statusCode === 200) return resolve(response);
      response.resume();
      reject(lost(response.statusMessage, response.statusCode));
    }).on('error', reject);
  });
}

async function* lines(stream) {
  let rest = '';
  for await (const text of stream) {
    const parts = (rest + text).split('\n');
    rest = parts.pop();
    yield* parts;
  }
}

function say(what, { status }) {
  const { status: state = '', name, imageName = '' } = status;
  console.log(`${what.padEnd(8)} ${state.padEnd(10)} ${name.padEnd(20)} ${imageName}`);
}

// What has been said of the containers, by their UIDs.
const known = new Map();

function put(container) {
  if (!container.status?.name) return; // made a moment ago, and not described yet
  const { uid, resourceVersion } = container.metadata;
  const before = known.get(uid);
  known.set(uid, container);
  if (!before) say('added', container);
  else if (before.metadata.resourceVersion !== resourceVersion) say('changed', container);
}

function drop(uid) {
  if (known.has(uid)) say('deleted', known.get(uid));
  known.delete(uid);
}

// Lists all containers, and watches from there until the watch ends.
async function follow(connection) {
  let text = '';
  for await (const part of await request(connection, containers)) text += part;
  const list = JSON.parse(text);
  const listed = new Set(list.items.map(({ metadata }) => metadata.uid));
  for (const uid of [...known.keys()]) if (!listed.has(uid)) drop(uid);
  list.items.forEach(put);

  const watch = `${containers}?watch=true&resourceVersion=${list.metadata.resourceVersion}`;
  for await (const line of lines(await request(connection, watch))) {
    const { type, object } = JSON.parse(line);
    if (type === 'ERROR') throw lost(object.message, object.code); // it is too old to go on
    if (type === 'DELETED') drop(object.metadata.uid);
    else put(object);
  }
}

const [file] = process.argv.slice(2);
if (!file) {
  console.error('usage: watch.mjs KUBECONFIG.json');
  process.exit(2);
}
const connection = load(file);
let last; // the code of the error that was printed
for (;;) {
  try {
    await follow(connection);
    last = undefined;
  } catch (error) {
    if (!error.code) throw error;
    if (error.code !== last) console.error(`trying again: ${error.message || error.code}`);
    last = error.code;
    await sleep(1000); // the daemon is away, or starting
  }
}
