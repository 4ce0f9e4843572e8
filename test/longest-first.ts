import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Projects by how long their files take, the longest first. */
const PROJECTS: readonly string[] = ["simulation", "packing", "integration", "e2e", "unit"];

/** Starts the files that take longest first, so that no processor is left with one of them at the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ project }: TestSpecification): number => PROJECTS.indexOf(project.name);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
