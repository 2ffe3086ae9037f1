#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0

// Prints a line for each container of RDD that is added, changed or deleted. It
// reconnects after the daemon was stopped, and prints the changes that it missed. It
// needs no packages: the Kubernetes API is JSON over HTTPS. Its argument is a
// kubeconfig as JSON.

import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const containers = '/apis/containers.rancherdesktop.io/v1alpha1/containers';

// Reads the address and the credentials of the API server.
function load(file) {
  const config = JSON.parse(readFileSync(file, 'utf8'));
  const { context } = config.contexts.find(({ name }) => name === config['current-context']);
  const { cluster } = config.clusters.find(({ name }) => name === context.cluster);
  const { user } = config.users.find(({ name }) => name === context.user);
  return {
    server: cluster.server,
    options: {
      // With NODE_USE_ENV_PROXY=1 the default agent uses HTTPS_PROXY for this
      // machine too; a new agent does not.
      agent: new Agent(),
      ca: Buffer.from(cluster['certificate-authority-data'], 'base64'),
      headers: { Authorization: `Bearer ${user.token}` },
    },
  };
}

// Errors that a retry may fix have a code, like network errors.
const lost = (message, code) => Object.assign(new Error(message), { code });

// Resolves to the response, whose text can be read with `for await`.
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

// The printed containers, by UID.
const known = new Map();

function put(container) {
  if (!container.status?.name) return; // just created: the status is not written yet
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
    if (type === 'ERROR') throw lost(object.message, object.code); // the version is too old
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
    await sleep(1000); // the daemon is stopped or starting
  }
}
