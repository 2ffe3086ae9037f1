// SPDX-License-Identifier: Apache-2.0

// Runs a container with Testcontainers by nothing but the environment. Prints, as
// the program in ../go does, the ID of the engine. Its argument is an image.

import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';

const container = await new GenericContainer(process.argv[2])
  .withCommand(['sh', '-c', 'echo it runs; exec sleep 1000'])
  .withWaitStrategy(Wait.forLogMessage('it runs'))
  .start();
try {
  const { output, exitCode } = await container.exec(['echo', 'and takes commands']);
  if (exitCode !== 0 || !output.includes('and takes commands')) {
    throw new Error(`the command in the container ended with ${exitCode} and printed ${output}`);
  }
  const { container: runtime } = await getContainerRuntimeClient();
  const { ID } = await runtime.dockerode.info();
  console.log('engine', ID);
} finally {
  await container.stop({ timeout: 0 });
}
