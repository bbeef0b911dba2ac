// Run once, by the image of MongoDB, when its volume is new: the user of the gateway and the workers, for their data only.
db.getSiblingDB("ymir").createUser({
  user: "ymir",
  pwd: process.env.YMIR_MONGO_PASSWORD,
  roles: [{ role: "readWrite", db: "ymir" }],
});
