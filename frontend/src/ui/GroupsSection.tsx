import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Pencil, Users } from "lucide-react";
import { useState } from "react";
import { api } from "../api/endpoints";
import type { Group } from "../api/types";
import { CardForm, TextArea, TextField } from "./kit/fields";
import { Button, EmptyState, ErrorState, IconButton, Loading, TableScroll } from "./kit/kit";
import { RemoveButton } from "./kit/RemoveButton";
import { useChange } from "./kit/useChange";

/** The groups that one owns, with a form to change them, and those that one is in. */
export function GroupsSection() {
  const groups = useQuery({ queryKey: ["groups"], queryFn: api.groups });
  const [chosen, choose] = useState<number | null>(null);
  const remove = useChange(api.removeGroup, [["groups"]]);
  if (groups.isPending) return <Loading label="Loading your groups" />;
  if (groups.isLoadingError) return <ErrorState error={groups.error} retry={() => void groups.refetch()} />;
  // None any more once it is deleted.
  const changing = groups.data.find((group) => group.id === chosen) ?? null;
  return (
    <div className="columns">
      <section className="stack" aria-labelledby="groups">
        <h2 id="groups">Groups</h2>
        {groups.data.length === 0 ? (
          <EmptyState icon={Users} title="No group yet">
            A group gets a role in a dataset at once, on its tab People. Whoever you add or take out gains or loses it
            everywhere.
          </EmptyState>
        ) : (
          <TableScroll label="Groups" card>
            <table className="table">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">People</th>
                  <th scope="col">
                    <span className="sr-only">Change</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {groups.data.map((group) => (
                  <tr key={group.id}>
                    <td>
                      <b>{group.name}</b>
                      {!group.mine && (
                        <>
                          <br />
                          <span className="muted small">of {group.owner}</span>
                        </>
                      )}
                    </td>
                    <td>{group.people.join(", ") || "nobody yet"}</td>
                    <td className="number nowrap">
                      {group.mine && (
                        <>
                          <IconButton
                            icon={Pencil}
                            look="quiet"
                            size="small"
                            label={`Change ${group.name}`}
                            onClick={() => choose(group.id)}
                          />
                          <RemoveButton
                            label={`Delete ${group.name}`}
                            verb="Delete"
                            disabled={remove.isPending}
                            onRemove={() => remove.mutate(group.id)}
                          >
                            Its people lose the roles that they have in datasets through this group. What they made
                            stays.
                          </RemoveButton>
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </TableScroll>
        )}
      </section>
      <GroupForm key={changing?.id ?? "new"} group={changing} done={() => choose(null)} />
    </div>
  );
}

function GroupForm({ group, done }: { group: Group | null; done: () => void }) {
  const [name, setName] = useState(group?.name ?? "");
  const [people, setPeople] = useState(group?.people.join("\n") ?? "");
  const queries = useQueryClient();
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), people: people.split(/[\s,]+/).filter((one) => one !== "") };
      return group ? api.changeGroup(group.id, body) : api.makeGroup(body);
    },
    onSuccess: () => {
      setName("");
      setPeople("");
      void queries.invalidateQueries({ queryKey: ["groups"] });
      done();
    },
  });
  return (
    <CardForm title={group ? `Change ${group.name}` : "New group"} error={save.error} submit={() => save.mutate()}>
      <TextField label="Name of the group" required maxLength={100} value={name} onChange={setName} />
      <TextArea
        label="People"
        hint="User names, one on each line."
        rows={5}
        autoCapitalize="none"
        value={people}
        onChange={setPeople}
      />
      <div className="row">
        <Button type="submit" icon={Users} busy={save.isPending}>
          {group ? "Save" : "Make the group"}
        </Button>
        {group && (
          <Button look="quiet" onClick={done}>
            Cancel
          </Button>
        )}
      </div>
    </CardForm>
  );
}
