import { useMutation, useQuery } from "@tanstack/react-query";
import { Users } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { Role } from "../../api/types";
import { CardForm, SelectField } from "../kit/fields";
import { counted } from "../kit/format";
import { Button, ErrorState, Loading, TableScroll } from "../kit/kit";
import { RemoveButton } from "../kit/RemoveButton";
import { keysOf, useAskAnew, useChange } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";
import { RoleOptions } from "./roles";

/** The groups that have a role in the dataset. */
export function GroupSection() {
  const dataset = useDataset();
  const lead = mayLead(dataset);
  const groups = useQuery({ queryKey: ["dataset-groups", dataset.id], queryFn: () => api.datasetGroups(dataset.id) });
  const remove = useChange((group: number) => api.removeGroupRole(dataset.id, group), shownKeys(dataset.id));
  if (groups.isPending) return <Loading label="Loading groups" />;
  if (groups.isLoadingError) return <ErrorState error={groups.error} retry={() => void groups.refetch()} />;
  if (groups.data.length === 0) return null;
  return (
    <section className="stack" aria-labelledby="groups">
      <h2 id="groups">Groups</h2>
      <TableScroll label="Groups with a role" card>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Group</th>
              <th scope="col">Role</th>
              {lead && (
                <th scope="col">
                  <span className="sr-only">Remove</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {groups.data.map((one) => (
              <tr key={one.group}>
                <td>
                  <b>{one.name}</b>
                  <br />
                  <span className="muted small">
                    {counted(one.people, "person", "people")}, chosen by {one.owner}
                  </span>
                </td>
                <td>{one.role}</td>
                {lead && (
                  <td className="number">
                    <RemoveButton
                      label={`Take the role from ${one.name}`}
                      verb="Take it"
                      disabled={remove.isPending}
                      onRemove={() => remove.mutate(one.group)}
                    >
                      Its people cannot open this dataset any more, unless they are members by themselves. Their masks
                      stay.
                    </RemoveButton>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </section>
  );
}

/** For leads: give one of their groups a role. */
export function AddGroup() {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  const mine = useQuery({ queryKey: ["groups"], queryFn: api.groups });
  const [group, setGroup] = useState("");
  const [role, setRole] = useState<Role>("annotator");
  const give = useMutation({
    mutationFn: () => api.giveGroupRole(dataset.id, Number(group), role),
    onSuccess: () => askAnew(shownKeys(dataset.id)),
  });
  if (!mine.data) return null;
  return (
    <CardForm title="Add a group" error={give.error} submit={() => give.mutate()}>
      {mine.data.length === 0 ? (
        <p className="muted small">
          A group gives several people a role at once. You make groups under{" "}
          <Link to="/account">Account, groups and tokens</Link>.
        </p>
      ) : (
        <>
          <SelectField
            label="Group"
            hint="Everybody in it has the strongest role that they are given."
            required
            value={group}
            onChange={setGroup}
          >
            <option value="">Choose a group</option>
            {mine.data.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name} ({counted(one.people.length, "person", "people")})
              </option>
            ))}
          </SelectField>
          <SelectField label="Role of the group" value={role} onChange={setRole}>
            <RoleOptions />
          </SelectField>
          <Button type="submit" icon={Users} busy={give.isPending}>
            Give the role
          </Button>
        </>
      )}
    </CardForm>
  );
}

const shownKeys = (dataset: number) => keysOf(dataset, "members", "dataset-groups");
